//! `simplebank import`: many transfers from a file of any size.
//!
//! Rows are read one after the other, gathered into chunks, and each chunk is one batch of the bank's; so memory does not grow
//! with the file. Every row has a key, so a file that was begun can be begun again.

mod lines;
mod report;
mod rows;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek as _},
    path::Path,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use simplebank::{
    Bank, Error, Kind, Member, Mode, Receipt,
    ports::{Clock as _, SystemClock},
};
use simplebank_localpg::DatabaseArgs;

use self::{
    report::{Report, Teller},
    rows::{BadRow, Row, Rows},
};
use super::{OPERATOR, on_bank};
use crate::{
    args::{FileFormat, Import, KeyPrefix},
    exit::{Code, Failure, remark},
    output::{self, Format},
};

/// Rows in one transaction.
const CHUNK_ROWS: usize = Bank::ATOMIC_MAX;
/// How often a chunk is sent while the bank is too busy or away.
const ATTEMPTS_MAX: u32 = 3;
/// How long to wait in between.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) fn run(
    import: &Import,
    settings: &DatabaseArgs,
    format: Format,
) -> Result<Code, Failure> {
    let Source { input, length_bytes, prefix } = Source::open(import)?;
    if let Some(prefix) = &prefix {
        remark(format, "key_prefix", &prefix.to_string());
    }
    let kind = import.format.map_or_else(|| format_by_name(&import.file), Ok)?;
    let rows = Rows::begin(input, kind, prefix.clone()).map_err(|error| unfit(import, error))?;
    on_bank(settings, format, async |bank| {
        let bank = if import.dry_run { &bank.dry_run() } else { bank };
        let teller = Teller::new(format, length_bytes);
        let mut run = Run { import, bank, rows, teller, report: Report::default() };
        let done = if import.atomic { run.all_or_none().await } else { run.each().await };
        run.teller.finish();
        done?;
        let report = run.report;
        output::document(format, &report)?;
        if report.is_clean() {
            return Ok(Code::Done);
        }
        if let (Some(prefix), false) = (prefix, import.atomic) {
            let hint = format!(
                "send corrected rows in a file of their own, or keep every line in its place and add --key-prefix {prefix}; \
                 a row that the bank refused needs a new key"
            );
            remark(format, "hint", &hint);
        }
        Ok(Code::No)
    })
}

type Input = Box<dyn BufRead + Send + Sync>;

/// Where rows come from.
struct Source {
    input: Input,
    /// `None` where it is not known.
    length_bytes: Option<u64>,
    prefix: Option<KeyPrefix>,
}

impl Source {
    fn open(import: &Import) -> Result<Self, Failure> {
        let prefix = import.key_prefix.clone();
        if import.file == Path::new("-") {
            let input = Box::new(BufReader::new(io::stdin()));
            return Ok(Self { input, length_bytes: None, prefix });
        }
        let unreadable = |error: io::Error| unfit(import, error);
        let mut file = File::open(&import.file).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if about.is_dir() {
            return Err(unfit(import, io::ErrorKind::IsADirectory.into()));
        }
        // What can be read only once, such as a pipe, is like standard input.
        let length_bytes = about.is_file().then_some(about.len());
        let prefix = match (prefix, length_bytes) {
            (Some(prefix), _) => Some(prefix),
            (None, None) => None,
            (None, Some(_)) => Some(fingerprint(&mut file).map_err(unreadable)?),
        };
        Ok(Self { input: Box::new(BufReader::new(file)), length_bytes, prefix })
    }
}

/// The first half of the SHA-256 of a file, in hexadecimal digits.
fn fingerprint(file: &mut File) -> io::Result<KeyPrefix> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
    }
    file.rewind()?;
    let digits: String =
        hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Ok(digits.parse().expect("32 hexadecimal digits are a prefix"))
}

fn format_by_name(file: &Path) -> Result<FileFormat, Failure> {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "csv" => Ok(FileFormat::Csv),
        "jsonl" | "ndjson" => Ok(FileFormat::Jsonl),
        _ => Err(Failure::value(
            "--format <FORMAT>",
            "",
            "is needed unless the file's name ends with .csv, .jsonl or .ndjson",
        )),
    }
}

fn unfit(import: &Import, error: io::Error) -> Failure {
    Failure::value("<FILE>", import.file.display(), error)
}

/// An import under way.
struct Run<'a> {
    import: &'a Import,
    bank: &'a Bank,
    rows: Rows<Input>,
    teller: Teller,
    report: Report,
}

impl Run<'_> {
    /// Each row stands alone.
    async fn each(&mut self) -> Result<(), Failure> {
        loop {
            let chunk = self.chunk(CHUNK_ROWS)?;
            if chunk.is_empty() {
                return Ok(());
            }
            let since = SystemClock.now();
            let answers = self.send(&chunk, Mode::Independent).await;
            let answers = answers.map_err(|source| self.stopped(source))?;
            self.report.begin_chunk(since);
            for (row, answer) in chunk.iter().zip(answers) {
                match answer {
                    Ok(receipt) => self.report.done(receipt.posting.transfer()),
                    Err(error) => self.refused(row, &error),
                }
            }
            self.teller.progress(self.rows.bytes(), self.report.rows());
        }
    }

    /// All rows or none.
    async fn all_or_none(&mut self) -> Result<(), Failure> {
        let chunk = self.chunk(CHUNK_ROWS)?;
        let is_longer = chunk.len() == CHUNK_ROWS && !self.chunk(1)?.is_empty();
        if is_longer {
            let reason = format!("has more than {CHUNK_ROWS} rows, too many for --atomic");
            return Err(Failure::value("<FILE>", self.import.file.display(), reason));
        }
        if self.report.has_malformed() || chunk.is_empty() {
            self.report.not_done(chunk.len());
            return Ok(());
        }
        let since = SystemClock.now();
        match self.send(&chunk, Mode::Atomic).await {
            Ok(answers) => {
                self.report.begin_chunk(since);
                for receipt in answers.into_iter().flatten() {
                    self.report.done(receipt.posting.transfer());
                }
                Ok(())
            }
            Err(Error::Member { index, error }) if let Some(row) = chunk.get(index) => {
                self.refused(row, &error);
                self.report.not_done(chunk.len().saturating_sub(1));
                Ok(())
            }
            Err(source) => Err(self.stopped(source)),
        }
    }

    /// The next sound rows, up to `rows_max`; what is wrong with others is told.
    fn chunk(&mut self, rows_max: usize) -> Result<Vec<Row>, Failure> {
        let mut chunk = Vec::with_capacity(rows_max);
        while chunk.len() < rows_max {
            match self.rows.next().map_err(|error| unfit(self.import, error))? {
                None => break,
                Some(Ok(row)) => chunk.push(row),
                Some(Err(bad)) => self.malformed(&bad),
            }
        }
        Ok(chunk)
    }

    /// Sends rows, again where the bank is too busy or away; their keys make that safe.
    async fn send(&self, chunk: &[Row], mode: Mode) -> Result<Vec<Result<Receipt, Error>>, Error> {
        let mut attempts = 0;
        loop {
            let members: Vec<Member> = chunk.iter().map(|row| row.member.clone()).collect();
            let answered = self.bank.post_all(&OPERATOR, members, mode).await;
            attempts += 1;
            match answered {
                Err(error) if error.kind() == Kind::Unavailable && attempts < ATTEMPTS_MAX => {
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(_) | Err(_) => return answered,
            }
        }
    }

    fn malformed(&mut self, bad: &BadRow) {
        self.report.malformed();
        self.teller.malformed(bad);
    }

    fn refused(&mut self, row: &Row, error: &Error) {
        self.report.refused(error.code());
        self.teller.refused(row, error);
    }

    fn stopped(&self, source: Error) -> Failure {
        Failure::Import { rows: self.report.rows(), source }
    }
}
