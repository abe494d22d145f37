//! What a recovery costs: something fixed, something for each mailbox, each item that is looked at, each item and each byte written, and
//! something more for items that are written among others which are there already: each of them touches pages of the target that have
//! to be journaled, where a mailbox that comes as a whole is built in new pages.
//!
//! The costs are those of one machine, one number of workers and one state of the cache, fitted to the measured recoveries, each of
//! which counts once (its median). What the size of the target adds is left out: it is in the residuals, and so in the band.

use serde::{Deserialize, Serialize};

use super::fit::{Band, Fit, Row, fit};

/// What a recovery has to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Mailboxes.
    pub mailboxes: f64,
    /// Items of the source that are looked at.
    pub looked: f64,
    /// Items that are written.
    pub written: f64,
    /// Bytes charged for these.
    pub bytes: f64,
}

/// The names of the costs, in the order of their columns.
pub const TERMS: [&str; 6] = [
    "fixed",
    "mailbox",
    "item looked at",
    "item written",
    "byte written",
    "item written among others",
];

impl Load {
    /// One value for each of [`TERMS`].
    pub fn columns(&self) -> Vec<f64> {
        vec![1.0, self.mailboxes, self.looked, self.written, self.bytes, self.among()]
    }

    /// Items that are written where most others are already: all of the written ones times the share of those that are there.
    fn among(&self) -> f64 {
        if self.looked <= 0.0 {
            return 0.0;
        }
        self.written * (1.0 - self.written / self.looked).max(0.0)
    }
}

/// A measured recovery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Which step it was.
    pub name: String,
    /// What it had to do.
    pub load: Load,
    /// How long it took, in seconds: the median of its repeats.
    pub seconds: f64,
}

/// The costs of a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    fit: Fit,
}

impl Model {
    /// Fits the costs; `None` when there are too few observations to tell how wrong they may be.
    pub fn of(observations: &[Observation]) -> Option<Self> {
        let row = |one: &Observation| Row { x: one.load.columns(), y: one.seconds };
        let rows: Vec<Row> = observations.iter().map(row).collect();
        Some(Self { fit: fit(&rows)? })
    }

    /// How long that will take, in seconds.
    pub fn seconds(&self, load: &Load) -> Band {
        self.fit.predict(&load.columns())
    }

    /// Seconds for one of each of [`TERMS`].
    pub fn costs(&self) -> impl Iterator<Item = (&'static str, f64)> {
        TERMS.into_iter().zip(self.fit.coefficients.iter().copied())
    }

    /// Relative spread of the observations around the model.
    pub fn spread(&self) -> f64 {
        self.fit.spread
    }

    /// Observations beyond the number of costs.
    pub fn freedom(&self) -> usize {
        self.fit.freedom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_costs_are_found() {
        let cost = |load: &Load| {
            0.2 + 0.01 * load.mailboxes
                + 2e-6 * load.looked
                + 1e-4 * load.written
                + 4e-9 * load.bytes
                + 3e-4 * load.among()
        };
        let loads = [
            (10.0, 1e4, 1e4, 2e8),
            (20.0, 3e4, 3e4, 3e8),
            (40.0, 4e4, 4e4, 9e8),
            (10.0, 9e4, 0.0, 0.0),
            (10.0, 1e5, 1e4, 9e7),
            (10.0, 5e4, 2e4, 9e7),
            (90.0, 2e4, 2e4, 1e8),
            (5.0, 2e5, 2e5, 1e9),
        ];
        let loads = loads.map(|(mailboxes, looked, written, bytes)| Load {
            mailboxes,
            looked,
            written,
            bytes,
        });
        let observe =
            |load: &Load| Observation { name: "x".into(), load: *load, seconds: cost(load) };
        let model = Model::of(&loads.iter().map(observe).collect::<Vec<_>>()).unwrap();
        let asked = Load { mailboxes: 500.0, looked: 2e6, written: 1.9e6, bytes: 4e10 };
        let band = model.seconds(&asked);
        assert!((band.mid / cost(&asked) - 1.0).abs() < 1e-6, "{band:?}");
        assert!(model.spread() < 1e-6 && model.freedom() == 2);
        let costs: Vec<_> = model.costs().collect();
        assert!((costs[5].1 - 3e-4).abs() < 1e-9, "{costs:?}");
        assert_eq!(costs[0].0, "fixed");
        assert!((costs[4].1 - 4e-9).abs() < 1e-12, "{costs:?}");
    }
}
