//! `docs/isolation.md`: its tables and transcripts, measured.

use std::path::PathBuf;

use simplebank::{db, testing::TestDatabase};

use crate::{
    lock_story, markers,
    r02_hermitage::{self, Defect, HELPERS_LEVELS, LEVELS, Line},
};

/// The command that measures and writes again.
pub const COMMAND: &str = "cargo run -p simplebank-proofs -- isolation";

/// Begins the line that may differ although the behaviour is the same.
const VERSION: &str = "Measured on PostgreSQL ";

/// The document in this repository.
#[must_use]
pub fn document() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "docs", "isolation.md"].iter().collect()
}

/// What the document must say.
#[derive(Debug)]
pub struct Measured {
    /// The name of each part, and its content.
    parts: Vec<(String, String)>,
}

impl Measured {
    /// Measures everything, on the server that tests use.
    ///
    /// # Errors
    ///
    /// Says which transactions got stuck.
    ///
    /// # Panics
    ///
    /// When there is no server.
    pub async fn now() -> Result<Self, String> {
        let server = TestDatabase::new().await.db().server().await.expect("the server answers");
        let version = format!("{VERSION}{}.", server.version);
        let tables = r02_hermitage::measure(Defect::None).await?;
        let levels = LEVELS.map(|(name, _)| name);
        let phenomena = phenomena(&tables.phenomena, &levels);
        let cases = cases(&tables.cases, &HELPERS_LEVELS.map(|(name, _)| name));
        let mut parts = vec![
            ("measured: phenomena".to_owned(), format!("{version}\n\n{phenomena}")),
            ("measured: cases".to_owned(), format!("{version}\n\n{cases}")),
        ];
        for told in lock_story::tell().await? {
            parts.push((format!("measured: {}", told.story.name), told.transcript()));
        }
        let query = format!("```sql\n{}\n```", db::locks::SQL.trim());
        parts.push(("from simplebank-db/src/locks.sql".to_owned(), query));
        Ok(Self { parts })
    }

    /// The document, rewritten.
    ///
    /// # Errors
    ///
    /// Says which comment the document lacks.
    pub fn write_into(&self, document: &str) -> Result<String, String> {
        let mut document = document.to_owned();
        for (name, content) in &self.parts {
            document = markers::replace(&document, name, content)?;
        }
        Ok(document)
    }

    /// The parts in which the document says something else; another version with the same behaviour is nothing else.
    ///
    /// # Errors
    ///
    /// Says which comment the document lacks.
    pub fn differences(&self, document: &str) -> Result<Vec<String>, String> {
        let mut differences = Vec::new();
        for (name, content) in &self.parts {
            let written = markers::content(document, name)?;
            if behaviour(written) != behaviour(content.trim()) {
                differences
                    .push(format!("{name}: the document says\n{written}\nmeasured:\n{content}"));
            }
        }
        Ok(differences)
    }
}

fn behaviour(part: &str) -> Vec<&str> {
    part.lines().filter(|line| !line.starts_with(VERSION)).collect()
}

fn phenomena(lines: &[Line], levels: &[&str]) -> String {
    let mut text = header(&["Phenomenon"], levels);
    for line in lines {
        text.push_str(&format!("| {} | {} |\n", line.name, found(line)));
    }
    text
}

fn cases(lines: &[Line], levels: &[&str]) -> String {
    let mut text = header(&["Case", "What is tried"], levels);
    for line in lines {
        text.push_str(&format!("| {} | {} | {} |\n", line.name, line.what, found(line)));
    }
    text
}

fn header(first: &[&str], levels: &[&str]) -> String {
    let columns = [first, levels].concat();
    format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()))
}

fn found(line: &Line) -> String {
    let cells: Vec<&str> = line.found.iter().map(|found| found.as_str()).collect();
    cells.join(" | ")
}
