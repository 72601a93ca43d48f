//! The lines of a file, none of which takes more memory than it may.

use std::io::{self, BufRead};

/// The longest line, in bytes: the longest useful one, with each of its characters escaped, has less than 8 KiB.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Reads lines.
pub(super) struct Lines<R> {
    input: R,
    /// How many lines have been read.
    number: u64,
    /// How many bytes they have.
    bytes: u64,
    line: Vec<u8>,
}

/// A line.
pub(super) enum Line<'a> {
    /// Its text, without its end.
    Text(&'a str),
    /// Why it is none.
    Bad(&'static str),
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(input: R) -> Self {
        Self { input, number: 0, bytes: 0, line: Vec::new() }
    }

    /// The number of the line that was read last: the first has 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// How many bytes have been read.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next line; `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let (mut is_begun, mut is_too_long) = (false, false);
        loop {
            let buffer = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                break;
            }
            is_begun = true;
            let (part, is_end) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(length) => (buffer.split_at(length).0, true),
                None => (buffer, false),
            };
            is_too_long |= self.line.len().saturating_add(part.len()) > LINE_BYTES_MAX;
            if !is_too_long {
                self.line.extend_from_slice(part);
            }
            let used = part.len().saturating_add(usize::from(is_end));
            self.input.consume(used);
            self.bytes = self.bytes.saturating_add(u64::try_from(used).unwrap_or(u64::MAX));
            if is_end {
                break;
            }
        }
        if !is_begun {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        Ok(Some(if is_too_long { Line::Bad("is longer than 16 KiB") } else { self.text() }))
    }

    fn text(&self) -> Line<'_> {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        // Some programs mark UTF-8 so, at the beginning of a file.
        let line = match self.number {
            1 => line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line),
            _ => line,
        };
        match std::str::from_utf8(line) {
            Ok(text) => Line::Text(text),
            Err(_) => Line::Bad("is not UTF-8"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn all(bytes: &[u8], capacity: usize) -> Vec<Result<String, &'static str>> {
        let mut lines = Lines::new(BufReader::with_capacity(capacity, bytes));
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(match line {
                Line::Text(text) => Ok(text.to_owned()),
                Line::Bad(why) => Err(why),
            });
        }
        assert_eq!(lines.bytes(), u64::try_from(bytes.len()).unwrap());
        assert_eq!(lines.number(), u64::try_from(all.len()).unwrap());
        all
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let bytes = b"\xef\xbb\xbfa,b\r\n\r\nc\n\xff\nlast";
        for capacity in 1..40 {
            let expected = ["a,b", "", "c"]
                .map(|line| Ok(line.to_owned()))
                .into_iter()
                .chain([Err("is not UTF-8"), Ok("last".to_owned())]);
            assert_eq!(all(bytes, capacity), expected.collect::<Vec<_>>(), "{capacity}");
        }
        assert_eq!(all(b"", 8), []);
        assert_eq!(all(b"\n", 8), [Ok(String::new())]);
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let mut bytes = vec![b'x'; 10_000_000];
        bytes.extend(b"\nshort\n");
        let mut lines = Lines::new(BufReader::new(&*bytes));
        assert!(matches!(lines.next().unwrap(), Some(Line::Bad(_))));
        assert!(lines.line.capacity() <= 2 * LINE_BYTES_MAX);
        assert!(matches!(lines.next().unwrap(), Some(Line::Text("short"))));
    }
}
