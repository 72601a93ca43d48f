//! Where the project keeps data when nobody says otherwise.

use std::env;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::account;

/// The directory for everything that is kept: the local cluster (in `postgres/`) and the binaries' own files.
///
/// It is made with mode 0700, as root 0711, because PostgreSQL's user has to pass through it: whoever keeps a secret in
/// it gives the file itself the mode 0600.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// This directory, whether it exists or not.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The first of: `SIMPLEBANK_DATA_DIR`; as root `/var/lib/simplebank`; `$XDG_DATA_HOME/simplebank`;
    /// `~/.local/share/simplebank`.
    ///
    /// # Errors
    ///
    /// [`Error::NoDataDirectory`] when none of the variables is set.
    pub fn find() -> Result<Self, Error> {
        let variable = |name| env::var_os(name).map(PathBuf::from);
        choose(
            variable("SIMPLEBANK_DATA_DIR"),
            account::is_root(),
            variable("XDG_DATA_HOME"),
            variable("HOME"),
        )
        .map(Self::at)
        .ok_or(Error::NoDataDirectory)
    }

    /// The path as given or found.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory if it does not exist; returns its path, absolute and without links.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn create(&self) -> Result<PathBuf, Error> {
        account::real_directory(&self.path)
    }
}

fn choose(
    given: Option<PathBuf>,
    root: bool,
    xdg_data_home: Option<PathBuf>,
    home: Option<PathBuf>,
) -> Option<PathBuf> {
    let not_empty = |path: &PathBuf| !path.as_os_str().is_empty();
    if let Some(given) = given.filter(not_empty) {
        return Some(given);
    }
    if root {
        return Some(PathBuf::from("/var/lib/simplebank"));
    }
    // The specification has relative values ignored.
    let shared = xdg_data_home.filter(|path| path.is_absolute());
    let shared = shared.or_else(|| Some(home.filter(not_empty)?.join(".local/share")));
    Some(shared?.join("simplebank"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Option<PathBuf> {
        Some(PathBuf::from(text))
    }

    #[test]
    fn the_data_directory_follows_the_order_of_its_sources() {
        assert_eq!(choose(path("/a"), true, path("/x"), path("/h")), path("/a"));
        assert_eq!(choose(path(""), true, path("/x"), path("/h")), path("/var/lib/simplebank"));
        assert_eq!(choose(None, false, path("/x"), path("/h")), path("/x/simplebank"));
        assert_eq!(choose(None, false, path("x"), path("/h")), path("/h/.local/share/simplebank"));
        assert_eq!(choose(None, false, None, path("")), None);
    }
}
