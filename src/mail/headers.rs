//! The header block of a message or part: where it ends, and its fields as raw bytes. Decodes nothing.
//!
//! A field is a line `Name: value` with the lines behind it that begin with white space. The block ends at an empty line, or before
//! the first line that is neither (then that line already belongs to the body). An mbox `From ` line in front is skipped.

/// More fields than this are not looked at; their bytes stay in the message.
const MAX_FIELDS: usize = 20_000;

/// The fields of a header block, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Headers<'a> {
    fields: Vec<(&'a [u8], &'a [u8])>,
    /// The whole block, without the empty line.
    pub(super) block: &'a [u8],
}

impl<'a> Headers<'a> {
    /// The value of the first field of this name; folds and the line end of its last line included.
    pub(super) fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The values of all fields of this name.
    pub(super) fn all<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + 'n {
        let matching = self.fields.iter().filter(|f| f.0.eq_ignore_ascii_case(name.as_bytes()));
        matching.map(|f| f.1)
    }
}

/// Splits a message or part into its header fields and its body.
pub(super) fn split(bytes: &[u8]) -> (Headers<'_>, &[u8]) {
    let mut headers = Headers::default();
    let mut field: Option<(&[u8], usize, usize)> = None; // name, start of the value, end so far
    let mut at = 0;
    let mut block_start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        let continues = matches!(line.first(), Some(b' ' | b'\t')) && field.is_some();
        if is_empty_line(line) {
            close(&mut headers, field.take(), bytes);
            return finish(headers, bytes, block_start, at, end);
        } else if continues {
            field = field.map(|(name, start, _)| (name, start, end));
        } else if let Some(colon) = name_length(line) {
            close(&mut headers, field.take(), bytes);
            let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
            field = Some((name, at + colon + 1, end));
        } else if at == 0 && is_from_line(line) {
            block_start = end;
        } else {
            close(&mut headers, field.take(), bytes);
            return finish(headers, bytes, block_start, at, at);
        }
        at = end;
    }
    close(&mut headers, field.take(), bytes);
    finish(headers, bytes, block_start, at, at)
}

fn finish<'a>(
    mut headers: Headers<'a>,
    bytes: &'a [u8],
    start: usize,
    end: usize,
    body: usize,
) -> (Headers<'a>, &'a [u8]) {
    headers.block = bytes.get(start..end).unwrap_or_default();
    (headers, bytes.get(body..).unwrap_or_default())
}

fn close<'a>(headers: &mut Headers<'a>, field: Option<(&'a [u8], usize, usize)>, bytes: &'a [u8]) {
    if let Some((name, start, end)) = field
        && headers.fields.len() < MAX_FIELDS
    {
        headers.fields.push((name, bytes.get(start..end).unwrap_or_default()));
    }
}

/// Whether a line holds nothing but its line end.
pub(super) fn is_empty_line(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

/// Where the colon stands, if the line begins a field: printable ASCII without blanks, blanks allowed before the colon.
pub(super) fn name_length(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line.get(..colon)?.trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(colon)
}

fn is_from_line(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bytes: &[u8]) -> (Vec<String>, String) {
        let (headers, body) = split(bytes);
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        (
            headers.fields.iter().map(|f| format!("{}={}", text(f.0), text(f.1))).collect(),
            text(body),
        )
    }

    #[test]
    fn fields_keep_their_folds_and_the_body_begins_behind_the_empty_line() {
        let (fields, body) = names(b"A: 1\r\n two\r\nB : 3\r\n\r\nbody\r\n");
        assert_eq!(fields, ["A= 1\r\n two\r\n", "B= 3\r\n"]);
        assert_eq!(body, "body\r\n");
    }

    #[test]
    fn a_line_that_is_no_field_begins_the_body() {
        assert_eq!(names(b"A: 1\nnot a field\nB: 2\n").1, "not a field\nB: 2\n");
        assert_eq!(names(b"just text: with colon\n").1, "just text: with colon\n");
        assert_eq!(names(b"\nbody").1, "body");
        assert_eq!(names(b""), (vec![], String::new()));
        assert_eq!(names(b"A: 1").0, ["A= 1"]);
        assert_eq!(names(b" folded: first\nA: 1\n\n").1, " folded: first\nA: 1\n\n");
    }

    #[test]
    fn a_from_line_in_front_is_skipped() {
        let (headers, body) = split(b"From a Thu Aug 22 12:36:23 2002\nA: 1\n\nb");
        assert_eq!((headers.block, body), (&b"A: 1\n"[..], &b"b"[..]));
    }
}
