//! Where PostgreSQL's programs are.
//!
//! A directory counts only when `initdb`, `pg_ctl` and `postgres` are all in it. The places are tried in a fixed order
//! and the first that counts wins; a directory named by `SIMPLEBANK_PG_BIN` is the only one looked at.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// The environment variable that names the directory of the programs.
const NAMED_BY: &str = "SIMPLEBANK_PG_BIN";

/// The programs this crate runs.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// A directory that holds the programs `initdb`, `pg_ctl` and `postgres`.
///
/// ```no_run
/// let installation = simplebank_localpg::Installation::find()?;
/// println!("PostgreSQL {} in {}", installation.version()?, installation.directory().display());
/// # Ok::<(), simplebank_localpg::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    directory: PathBuf,
}

impl Installation {
    /// The first installation in: `SIMPLEBANK_PG_BIN`, `PATH`, `pg_config --bindir`, `/usr/lib/postgresql/*/bin`
    /// (highest number first), `/usr/pgsql-*/bin`, Homebrew, Postgres.app.
    ///
    /// # Errors
    ///
    /// [`Error::NamedDirectoryLacks`] when `SIMPLEBANK_PG_BIN` is set and wrong; [`Error::NotInstalled`] when there is
    /// none anywhere.
    pub fn find() -> Result<Self, Error> {
        let places = Places::of_this_machine();
        places.installations()?.into_iter().next().ok_or_else(|| places.none_found())
    }

    /// The installation to run the cluster in `cluster` with: the first one of the major version that made it.
    pub(crate) fn find_for(cluster: &Path) -> Result<Self, Error> {
        let version_file = cluster.join("PG_VERSION");
        let wanted = fs::read_to_string(&version_file).map_err(Error::io("read", &version_file))?;
        let wanted = wanted.trim();
        let places = Places::of_this_machine();
        let mut found: Vec<String> = Vec::new();
        for installation in places.installations()? {
            let version = installation.version()?;
            if version == wanted {
                return Ok(installation);
            }
            if !found.contains(&version) {
                found.push(version);
            }
        }
        if found.is_empty() {
            return Err(places.none_found());
        }
        Err(Error::OtherVersion {
            cluster: cluster.to_owned(),
            wanted: wanted.to_owned(),
            found: found.join(", "),
        })
    }

    /// The directory of the programs; absolute.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The major version, as in a cluster's file `PG_VERSION`: `"15"`, or `"9.6"` before 10.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] when `postgres --version` can't be run.
    pub fn version(&self) -> Result<String, Error> {
        let program = self.program("postgres");
        let output = Command::new(&program)
            .arg("--version")
            .output()
            .map_err(|source| Error::Command { program: program.into_os_string(), source })?;
        Ok(major_version(&String::from_utf8_lossy(&output.stdout)))
    }

    /// The path of one of [`PROGRAMS`].
    pub(crate) fn program(&self, name: &'static str) -> PathBuf {
        self.directory.join(name)
    }
}

/// `"15"` of `postgres (PostgreSQL) 15.4 (Debian 15.4-1)`, `"9.6"` of `… 9.6.24`, `"19"` of `… 19devel`.
fn major_version(banner: &str) -> String {
    let number = banner.split_whitespace().nth(2).unwrap_or_default();
    let mut parts = number.split('.');
    let first = parts.next().unwrap_or_default();
    let digits: String = first.chars().take_while(char::is_ascii_digit).collect();
    match (digits.parse::<u32>(), parts.next()) {
        (Ok(..10), Some(second)) => format!("{digits}.{second}"),
        _ => digits,
    }
}

/// Everything the search depends on, so that it can be tested on a made-up machine.
#[derive(Debug)]
struct Places {
    /// `SIMPLEBANK_PG_BIN`, when set and not empty.
    named: Option<PathBuf>,
    /// The directories of `PATH`.
    path: Vec<PathBuf>,
    /// What `pg_config --bindir` prints.
    pg_config: Option<PathBuf>,
    /// `/`, or a made-up root.
    root: PathBuf,
}

impl Places {
    fn of_this_machine() -> Self {
        let set = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty());
        Self {
            named: set(NAMED_BY).map(PathBuf::from),
            path: env::split_paths(&set("PATH").unwrap_or_default()).collect(),
            pg_config: asked_from_pg_config(),
            root: PathBuf::from("/"),
        }
    }

    /// Every installation, the preferred one first.
    fn installations(&self) -> Result<Vec<Installation>, Error> {
        if let Some(named) = &self.named {
            let missing = missing_programs(named);
            return if missing.is_empty() {
                Ok(vec![Installation { directory: absolute(named) }])
            } else {
                Err(Error::NamedDirectoryLacks { directory: named.clone(), missing })
            };
        }
        Ok(self
            .candidates()
            .into_iter()
            .filter(|place| missing_programs(place).is_empty())
            .map(|place| Installation { directory: absolute(&place) })
            .collect())
    }

    /// Every directory worth a look, in order.
    fn candidates(&self) -> Vec<PathBuf> {
        let mut places = self.path.clone();
        places.extend(self.pg_config.clone());
        places.extend(numbered(&self.root.join("usr/lib/postgresql"), "", "bin"));
        places.extend(numbered(&self.root.join("usr"), "pgsql-", "bin"));
        for prefix in ["opt/homebrew/opt", "usr/local/opt"] {
            places.extend(numbered(&self.root.join(prefix), "postgresql", "bin"));
        }
        let app = "Applications/Postgres.app/Contents/Versions";
        places.extend(numbered(&self.root.join(app), "", "bin"));
        places
    }

    fn none_found(&self) -> Error {
        let mut looked = self.path.clone();
        looked.push(PathBuf::from(match self.pg_config {
            Some(_) => "the directory that pg_config --bindir prints",
            None => "pg_config --bindir (there is no pg_config)",
        }));
        for pattern in [
            "/usr/lib/postgresql/*/bin",
            "/usr/pgsql-*/bin",
            "/opt/homebrew/opt/postgresql*/bin",
            "/usr/local/opt/postgresql*/bin",
            "/Applications/Postgres.app/Contents/Versions/*/bin",
        ] {
            looked.push(PathBuf::from(pattern));
        }
        Error::NotInstalled { looked }
    }
}

/// What `pg_config --bindir` prints; `None` when there is no such program or it fails.
fn asked_from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !directory.trim().is_empty())
        .then(|| PathBuf::from(directory.trim()))
}

/// The directories `parent/prefix*/inner`, the highest version number in `*` first.
fn numbered(parent: &Path, prefix: &str, inner: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.trim_start_matches('@');
            let number = version.split('.').map_while(|part| part.parse().ok()).collect();
            Some((number, entry.path().join(inner)))
        })
        .collect();
    found.sort_by(|left, right| right.cmp(left));
    found.into_iter().map(|(_number, path)| path).collect()
}

fn missing_programs(directory: &Path) -> Vec<&'static str> {
    PROGRAMS.into_iter().filter(|program| !directory.join(program).is_file()).collect()
}

/// The programs run with another working directory, so a relative path would lose its meaning.
fn absolute(directory: &Path) -> PathBuf {
    std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> (tempfile::TempDir, Places) {
        let root = tempfile::tempdir().expect("a temporary directory");
        let places =
            Places { named: None, path: Vec::new(), pg_config: None, root: root.path().to_owned() };
        (root, places)
    }

    fn install(directory: &Path, programs: &[&str]) -> PathBuf {
        fs::create_dir_all(directory).expect("a directory");
        for program in programs {
            fs::write(directory.join(program), "").expect("a file");
        }
        directory.to_owned()
    }

    fn first(places: &Places) -> Option<PathBuf> {
        places.installations().unwrap().into_iter().next().map(|found| found.directory)
    }

    #[test]
    fn the_highest_version_number_wins_and_not_the_longest_name() {
        let (root, places) = machine();
        for version in ["9.6", "9", "15", "100"] {
            let bin = root.path().join("usr/lib/postgresql").join(version).join("bin");
            install(&bin, &PROGRAMS);
        }
        install(&root.path().join("usr/lib/postgresql/200/bin"), &["initdb", "pg_ctl"]);
        assert_eq!(first(&places), Some(root.path().join("usr/lib/postgresql/100/bin")));
    }

    #[test]
    fn path_comes_before_pg_config_and_both_before_the_usual_places() {
        let (root, mut places) = machine();
        let usual = install(&root.path().join("opt/homebrew/opt/postgresql@17/bin"), &PROGRAMS);
        assert_eq!(first(&places), Some(usual));
        places.pg_config = Some(install(&root.path().join("asked"), &PROGRAMS));
        assert_eq!(first(&places), places.pg_config);
        // A directory with wrappers of some of the programs, as Debian's /usr/bin, does not count.
        let wrappers = install(&root.path().join("wrappers"), &["pg_ctl", "pg_config"]);
        let on_path = install(&root.path().join("on-path"), &PROGRAMS);
        places.path = vec![wrappers, on_path.clone()];
        assert_eq!(first(&places), Some(on_path));
    }

    #[test]
    fn a_named_directory_that_lacks_a_program_is_an_error_and_nothing_else_is_tried() {
        let (root, mut places) = machine();
        install(&root.path().join("usr/pgsql-16/bin"), &PROGRAMS);
        places.named = Some(install(&root.path().join("named"), &["initdb"]));
        let error = places.installations().unwrap_err().to_string();
        assert!(error.contains("SIMPLEBANK_PG_BIN"), "{error}");
        assert!(error.contains("lacks pg_ctl, postgres"), "{error}");
    }

    #[test]
    fn finding_nothing_names_the_places_and_the_three_ways_out() {
        let (_root, mut places) = machine();
        places.path = vec![PathBuf::from("/somewhere/bin")];
        assert_eq!(first(&places), None);
        let error = places.none_found().to_string();
        for part in [
            "/somewhere/bin",
            "pg_config",
            "/usr/lib/postgresql/*/bin",
            "apt-get install postgresql",
            "SIMPLEBANK_PG_BIN",
            "DATABASE_URL",
        ] {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }

    #[test]
    fn the_major_version_is_read_from_the_banner() {
        for (banner, major) in [
            ("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n", "15"),
            ("postgres (PostgreSQL) 9.6.24", "9.6"),
            ("postgres (PostgreSQL) 19devel", "19"),
            ("nonsense", ""),
        ] {
            assert_eq!(major_version(banner), major, "{banner}");
        }
    }
}
