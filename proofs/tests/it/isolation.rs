//! `docs/isolation.md` says what was measured.

use std::fs;

use simplebank_proofs::isolation::{COMMAND, Measured, document};

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_what_this_postgresql_does() {
    let written = fs::read_to_string(document()).expect("the document is there");
    let measured = Measured::now().await.expect("no transaction gets stuck");
    let differences =
        measured.differences(&written).expect("the document has a place for each part");
    assert!(differences.is_empty(), "run `{COMMAND}` to update\n\n{}", differences.join("\n\n"));
    // The control: a document that says one thing otherwise is noticed, and another version alone is not.
    let wrong = written.replacen("| snapshot |", "| **happens** |", 1);
    assert_ne!(wrong, written);
    assert_eq!(measured.differences(&wrong).map(|found| found.len()), Ok(1));
    let newer = written.replace("Measured on PostgreSQL ", "Measured on PostgreSQL 99 after ");
    assert_ne!(newer, written);
    assert_eq!(measured.differences(&newer), Ok(Vec::new()));
}
