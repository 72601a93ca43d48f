//! An answer of the server's.

use std::fmt;

use sqlx::error::{DatabaseError, ErrorKind};

/// What the server says who has waited for a lock for too long.
#[derive(Debug)]
pub(super) struct LockTimeout;

impl fmt::Display for LockTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lock timeout")
    }
}

impl std::error::Error for LockTimeout {}

impl DatabaseError for LockTimeout {
    fn message(&self) -> &str {
        "lock timeout"
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some("55P03".into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
