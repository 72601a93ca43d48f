//! What can be asked of an import.

use std::{fmt, path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};
use simplebank::core::IdempotencyKey;

pub(super) const IMPORT_HELP: &str = "\
A CSV file begins with a row of the columns' names: from, to, amount and currency; key, description and reference if there \
are any; in any order. A line of a JSON lines file is one object with these names and strings. A row is one line.

Each transfer happens once under its key: its own, or else PREFIX-LINE, the key prefix and the number of its line in the file. \
Without --key-prefix the prefix is made of the file's SHA-256, so repeating the command after a crash, a kill or exit code 3 \
goes on where it was, and what has happened does not happen again. A file that was changed gets other keys: send corrected rows \
in a file of their own, or give the first import's prefix with --key-prefix and keep every line in its place.

What is wrong with a row is told on stderr with the number of its line; the others go on. Exits with 1 if any row failed.";

/// Many transfers from a file.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file, or - for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What the file is [default: by its name: .csv, or .jsonl or .ndjson].
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<FileFormat>,
    /// What the keys of rows without a key begin with: 1 to 200 visible ASCII characters. Standard input has no default.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) key_prefix: Option<KeyPrefix>,
    /// All rows or none; for at most 1,000.
    #[arg(long)]
    pub(crate) atomic: bool,
    /// Only tries it out, and writes nothing; each 1,000 rows as if those before had not happened.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object on each line.
    Jsonl,
}

/// What the keys of rows begin with: short enough that any row's number fits behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyPrefix(String);

impl KeyPrefix {
    /// The key of a row.
    pub(crate) fn key(&self, row: u64) -> IdempotencyKey {
        // 200 characters, a hyphen and 20 digits at most.
        format!("{}-{row}", self.0).parse().expect("it is visible ASCII and shorter than 255")
    }
}

impl FromStr for KeyPrefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let is_good =
            (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_good {
            Ok(Self(text.to_owned()))
        } else {
            Err("must have 1 to 200 visible ASCII characters, without spaces")
        }
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
