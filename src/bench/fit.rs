//! Least squares, with the error that belongs to a prediction.
//!
//! Errors of times are relative: a run twice as long varies by twice as many seconds. So each row weighs 1/y², and the spread that
//! comes out is a share of the prediction. Coefficients are costs and cannot be negative: a column whose best coefficient would be
//! is taken out, and so is one that the rows cannot tell apart from the others.

/// A row: what is known, and what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// One value for each column.
    pub x: Vec<f64>,
    /// What was measured; positive.
    pub y: f64,
}

/// A value and the band in which 95 of 100 measurements are expected.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Band {
    /// The best guess.
    pub mid: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What the rows say.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// One coefficient for each column; 0 for those that were taken out.
    pub coefficients: Vec<f64>,
    /// Columns that were kept.
    kept: Vec<usize>,
    /// The inverse of their weighted normal matrix.
    inverse: Vec<Vec<f64>>,
    /// Relative spread of the rows around the fit.
    pub spread: f64,
    /// Rows beyond the number of kept columns.
    pub freedom: usize,
}

/// Fits non-negative coefficients.
///
/// `None` when the rows are not at least one more than the coefficients that they determine, when a measured value is not positive,
/// or when rows differ in their length.
pub fn fit(rows: &[Row]) -> Option<Fit> {
    let columns = rows.first()?.x.len();
    if rows.iter().any(|row| row.x.len() != columns || !(row.y.is_finite() && row.y > 0.0)) {
        return None;
    }
    let mut kept: Vec<usize> =
        (0..columns).filter(|column| rows.iter().any(|row| row.x[*column] != 0.0)).collect();
    loop {
        let normal = Normal::of(rows, &kept);
        let (inverse, coefficients) = match normal.solve() {
            Ok(solved) => solved,
            Err(column) => {
                kept.remove(column);
                continue;
            }
        };
        // The one that pulls most rows down goes first.
        let pull = |at: usize| -> f64 {
            rows.iter().map(|row| coefficients[at] * row.x[kept[at]] / row.y).sum()
        };
        let negative = (0..kept.len()).filter(|at| coefficients[*at] < 0.0);
        match negative.min_by(|a, b| pull(*a).total_cmp(&pull(*b))) {
            Some(column) => drop(kept.remove(column)),
            None => return finish(rows, columns, kept, inverse, &coefficients),
        }
    }
}

fn finish(
    rows: &[Row],
    columns: usize,
    kept: Vec<usize>,
    inverse: Vec<Vec<f64>>,
    solved: &[f64],
) -> Option<Fit> {
    let freedom = rows.len().checked_sub(kept.len()).filter(|freedom| *freedom > 0)?;
    if kept.is_empty() {
        return None;
    }
    let mut coefficients = vec![0.0; columns];
    kept.iter().zip(solved).for_each(|(column, value)| coefficients[*column] = *value);
    let residual = |row: &Row| (row.y - dot(&coefficients, &row.x)) / row.y;
    let squares: f64 = rows.iter().map(|row| residual(row).powi(2)).sum();
    let spread = (squares / freedom as f64).sqrt();
    Some(Fit { coefficients, kept, inverse, spread, freedom })
}

impl Fit {
    /// The value at a place, with the band of a new measurement there: the spread of single rows and what is not known of the
    /// coefficients, which grows with the distance from what was measured.
    pub fn predict(&self, x: &[f64]) -> Band {
        let mid = dot(&self.coefficients, x);
        let known: Vec<f64> =
            self.kept.iter().map(|column| x.get(*column).copied().unwrap_or(0.0)).collect();
        let of_coefficients: f64 =
            self.inverse.iter().zip(&known).map(|(row, x)| x * dot(row, &known)).sum();
        let variance = self.spread.powi(2) * (mid.powi(2) + of_coefficients.max(0.0));
        let reach = student(self.freedom) * variance.sqrt();
        Band { mid, low: (mid - reach).max(0.0), high: mid + reach }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The weighted normal equations, with columns scaled to a diagonal of ones.
struct Normal {
    matrix: Vec<Vec<f64>>,
    right: Vec<f64>,
    scale: Vec<f64>,
}

impl Normal {
    fn of(rows: &[Row], kept: &[usize]) -> Self {
        let weighted = |row: &Row, column: usize| row.x[column] / row.y;
        let sum = |of: &dyn Fn(&Row) -> f64| -> f64 { rows.iter().map(of).sum() };
        let scale: Vec<f64> =
            kept.iter().map(|c| sum(&|row| weighted(row, *c).powi(2)).sqrt()).collect();
        let entry = |a: usize, b: usize| {
            sum(&|row| weighted(row, kept[a]) * weighted(row, kept[b])) / (scale[a] * scale[b])
        };
        let size = kept.len();
        let matrix = (0..size).map(|a| (0..size).map(|b| entry(a, b)).collect()).collect();
        let right = (0..size).map(|a| sum(&|row| weighted(row, kept[a])) / scale[a]).collect();
        Self { matrix, right, scale }
    }

    /// The inverse of the unscaled matrix and the solution, or the first column that depends on those before it.
    fn solve(&self) -> Result<(Vec<Vec<f64>>, Vec<f64>), usize> {
        /// A pivot below this is the rounding of dependent columns.
        const PIVOT_MIN: f64 = 1e-9;
        let size = self.right.len();
        let unit = |row: usize| (0..size).map(move |at| if at == row { 1.0 } else { 0.0 });
        let mut work: Vec<Vec<f64>> = (0..size)
            .map(|row| self.matrix[row].iter().copied().chain(unit(row)).collect())
            .collect();
        for pivot in 0..size {
            let value = work[pivot][pivot];
            if value.abs() < PIVOT_MIN {
                return Err(pivot);
            }
            work[pivot].iter_mut().for_each(|cell| *cell /= value);
            let own = work[pivot].clone();
            for (at, row) in work.iter_mut().enumerate().filter(|(at, _)| *at != pivot) {
                let factor = row[pivot];
                debug_assert!(at != pivot);
                row.iter_mut().zip(&own).for_each(|(cell, own)| *cell -= factor * own);
            }
        }
        let inverse: Vec<Vec<f64>> = work.into_iter().map(|row| row[size..].to_vec()).collect();
        let solution =
            (0..size).map(|at| dot(&inverse[at], &self.right) / self.scale[at]).collect();
        let unscaled = (0..size)
            .map(|a| (0..size).map(|b| inverse[a][b] / (self.scale[a] * self.scale[b])).collect())
            .collect();
        Ok((unscaled, solution))
    }
}

/// The two-sided 95 % point of Student's distribution, for so many degrees of freedom. Source: the usual table.
fn student(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
        2.052, 2.048, 2.045, 2.042,
    ];
    let at = freedom.max(1) - 1;
    TABLE.get(at).copied().unwrap_or(1.96)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[(f64, f64)]) -> Vec<Row> {
        points.iter().map(|(x, y)| Row { x: vec![1.0, *x], y: *y }).collect()
    }

    #[test]
    fn a_known_line_is_found_with_no_band() {
        let points: Vec<_> = (1..=6).map(|x| (f64::from(x), 3.0 + 2.0 * f64::from(x))).collect();
        let fit = fit(&line(&points)).unwrap();
        assert!((fit.coefficients[0] - 3.0).abs() < 1e-9, "{fit:?}");
        assert!((fit.coefficients[1] - 2.0).abs() < 1e-9, "{fit:?}");
        let band = fit.predict(&[1.0, 100.0]);
        assert!((band.mid - 203.0).abs() < 1e-6 && band.high - band.low < 1e-6, "{band:?}");
    }

    #[test]
    fn noise_widens_the_band_and_distance_widens_it_more() {
        let noise = [0.9, 1.1, 0.95, 1.05, 0.9, 1.1, 1.0, 1.0];
        let points: Vec<_> = noise
            .iter()
            .zip(1..)
            .map(|(n, x)| (f64::from(x), n * (3.0 + 2.0 * f64::from(x))))
            .collect();
        let fit = fit(&line(&points)).unwrap();
        assert_eq!(fit.freedom, 6);
        let wide = |x: f64| {
            let band = fit.predict(&[1.0, x]);
            assert!(band.low <= band.mid && band.mid <= band.high);
            (band.high - band.low) / band.mid
        };
        assert!(wide(4.0) > 0.1 && wide(400.0) > wide(4.0));
        let truth = 3.0 + 2.0 * 20.0;
        let band = fit.predict(&[1.0, 20.0]);
        assert!(band.low < truth && truth < band.high, "{band:?}");
    }

    #[test]
    fn costs_are_never_negative_and_twins_of_columns_are_left_out() {
        // The best line would begin below zero.
        let fitted = fit(&line(&[(1.0, 0.1), (2.0, 2.0), (3.0, 4.1), (4.0, 6.0)])).unwrap();
        assert_eq!(fitted.coefficients[0], 0.0);
        assert!(fitted.coefficients[1] > 0.0);
        let twins = (1..6).map(f64::from).map(|x| Row { x: vec![x, 2.0 * x, 0.0], y: 4.0 * x });
        let fitted = fit(&twins.collect::<Vec<_>>()).unwrap();
        assert!((fitted.predict(&[10.0, 20.0, 0.0]).mid - 40.0).abs() < 1e-6, "{fitted:?}");
        assert_eq!(fitted.coefficients[2], 0.0);
    }

    #[test]
    fn too_little_is_no_answer() {
        assert!(fit(&[]).is_none());
        assert!(fit(&line(&[(1.0, 1.0), (2.0, 1.5)])).is_none());
        assert!(fit(&line(&[(1.0, 1.0), (2.0, 0.0), (3.0, 4.0)])).is_none());
    }
}
