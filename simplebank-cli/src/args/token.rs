//! What can be asked about keys for tokens.

use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Makes a fresh key: set it as TOKEN_SYMMETRIC_KEY or TOKEN_SECRET_KEY of the server.
    GenerateKey {
        /// What is made.
        #[arg(long, value_name = "KIND", default_value = "shared")]
        kind: KeyKind,
    },
    /// Reads a key from standard input, in any of its forms, and shows its ids, and of a pair the public half.
    ///
    /// The secret is not shown. It is never an argument, since other users of the machine can read those.
    ShowKey,
}

/// A type of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// One secret for whoever issues and whoever verifies: for the token kinds paseto and jwt.
    Shared,
    /// A secret key that issues and a public one that only verifies: for paseto-public and jwt-eddsa.
    Pair,
}
