//! The user that PostgreSQL's programs run as.
//!
//! An ordinary user runs them as himself. PostgreSQL refuses to run as root, so root runs them as the user `postgres`,
//! or `nobody` where there is none; an existing cluster keeps the user that owns it.

use std::env;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// All that a child inherits of our environment: enough to find and load programs and locales. Everything else stays
/// out, `PG*` because it would change the programs' meaning, secrets because the child may belong to another user.
const KEPT_VARIABLES: [&str; 4] =
    ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LOCALE_ARCHIVE"];

/// The users tried in turn when the process is root.
const ORDINARY_USERS: [&str; 2] = ["postgres", "nobody"];

/// Who runs the programs and owns the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    name: String,
    uid: u32,
    gid: u32,
    /// Whether the process is root and the programs have to change to `uid` and `gid`.
    drops: bool,
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The effective user id of this process.
pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

impl Account {
    /// The user for a cluster that does not exist yet.
    ///
    /// # Errors
    ///
    /// [`Error::NamelessUser`] or [`Error::NoOrdinaryUser`].
    pub(crate) fn for_new_cluster() -> Result<Self, Error> {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        if is_root() {
            return ORDINARY_USERS
                .into_iter()
                .find_map(|name| entry(&users, |entry| entry.name == name))
                .map(|user| Self { drops: true, ..user })
                .ok_or(Error::NoOrdinaryUser);
        }
        let uid = own_uid();
        let gid = rustix::process::getegid().as_raw();
        match entry(&users, |entry| entry.uid == uid) {
            Some(user) => Ok(user),
            // Users of a directory service, as on macOS, are not in the file.
            None => Ok(Self { name: name_from_id()?, uid, gid, drops: false }),
        }
    }

    /// The user for a cluster that exists: its owner.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignOwner`] when that is neither us nor somebody root can change to.
    pub(crate) fn owning(cluster: &Path) -> Result<Self, Error> {
        let owner = fs::symlink_metadata(cluster).map_err(Error::io("look at", cluster))?.uid();
        let new = Self::for_new_cluster()?;
        if owner == new.uid {
            return Ok(new);
        }
        let foreign =
            || Error::ForeignOwner { path: cluster.to_owned(), owner, expected: new.name.clone() };
        if !is_root() || owner == 0 {
            return Err(foreign());
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = entry(&users, |entry| entry.uid == owner).ok_or_else(foreign)?;
        Ok(Self { drops: true, ..user })
    }

    /// A command run as this user: in `/`, in its own process group (the terminal's Ctrl-C is meant for us, not for the
    /// server), with nearly no environment and nothing on its standard streams.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir("/").process_group(0);
        for name in KEPT_VARIABLES {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        // With TZ set, initdb does not have to guess the time zone by comparing all of them.
        command.env("HOME", "/").env("LC_ALL", "C").env("TZ", "UTC");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if self.drops {
            // As root, `uid` also gives up the supplementary groups.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives an open file to this user.
    pub(crate) fn own_file(&self, file: &File, path: &Path) -> Result<(), Error> {
        if self.drops {
            std::os::unix::fs::fchown(file, Some(self.uid), Some(self.gid))
                .map_err(Error::io("give away", path))?;
        }
        Ok(())
    }

    /// Makes sure that `directory` exists, is a real directory, belongs to this user and is closed to all others.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignOwner`] or [`Error::NotPrivate`] when somebody else made it, [`Error::Io`] when it can't be
    /// made.
    pub(crate) fn private_directory(&self, directory: &Path) -> Result<(), Error> {
        match fs::DirBuilder::new().mode(0o700).create(directory) {
            Ok(()) => {}
            Err(source) if source.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(Error::io("make", directory)(source)),
        }
        // The checks come before the changes and don't follow links: under /tmp others may have been here first.
        let found = fs::symlink_metadata(directory).map_err(Error::io("look at", directory))?;
        if !found.is_dir() || (found.uid() != self.uid && found.uid() != own_uid()) {
            let expected = self.name.clone();
            return Err(Error::ForeignOwner {
                path: directory.to_owned(),
                owner: found.uid(),
                expected,
            });
        }
        if found.mode() & 0o077 != 0 {
            return Err(Error::NotPrivate { path: directory.to_owned() });
        }
        if self.drops {
            std::os::unix::fs::lchown(directory, Some(self.uid), Some(self.gid))
                .map_err(Error::io("give away", directory))?;
        }
        Ok(())
    }

    /// Makes sure that this user can enter `directory`.
    ///
    /// # Errors
    ///
    /// [`Error::NotSearchable`] with the first closed directory on the way.
    pub(crate) fn require_searchable(&self, directory: &Path) -> Result<(), Error> {
        if !self.drops || self.can_enter(directory)? {
            return Ok(());
        }
        let mut way: Vec<&Path> = directory.ancestors().collect();
        way.reverse();
        for step in way {
            if !self.can_enter(step)? {
                return Err(Error::NotSearchable {
                    directory: step.to_owned(),
                    user: self.name.clone(),
                });
            }
        }
        Ok(())
    }

    /// Asks the system rather than the permission bits, which know nothing of access lists.
    fn can_enter(&self, directory: &Path) -> Result<bool, Error> {
        let shell = Path::new("/bin/sh");
        let status = self
            .command(shell)
            .args(["-c", "cd \"$1\" 2>/dev/null", "sh"])
            .arg(directory)
            .status()
            .map_err(|source| self.spawn_error(shell, source))?;
        Ok(status.success())
    }

    pub(crate) fn spawn_error(&self, program: &Path, source: std::io::Error) -> Error {
        Error::Spawn { program: program.to_owned(), user: self.name.clone(), source }
    }
}

/// The first entry of a passwd file that is `wanted`. Lines that can't be read are passed over.
fn entry(users: &str, wanted: impl Fn(&Account) -> bool) -> Option<Account> {
    users
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let uid = id(fields.nth(1)?)?;
            let gid = id(fields.next()?)?;
            Some(Account { name, uid, gid, drops: false })
        })
        .find(wanted)
}

/// macOS writes the ids of `nobody` as -2.
fn id(field: &str) -> Option<u32> {
    field.parse().ok().or_else(|| field.parse().ok().map(i32::cast_unsigned))
}

/// The name of our own user from whatever directory service the system asks.
fn name_from_id() -> Result<String, Error> {
    let nameless = Error::NamelessUser { uid: own_uid() };
    let Ok(output) = Command::new("id").arg("-un").stderr(Stdio::null()).output() else {
        return Err(nameless);
    };
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !name.is_empty() { Ok(name) } else { Err(nameless) }
}

/// Opens root's own directory to be passed through, when it is closed: `mktemp -d` makes it 0700.
///
/// Only a directory that belongs to root is touched; what is above it is not ours to open.
pub(crate) fn open_to_pass(directory: &Path) -> Result<(), Error> {
    let found = fs::metadata(directory).map_err(Error::io("look at", directory))?;
    if is_root() && found.uid() == own_uid() && found.mode() & 0o001 == 0 {
        let mode = (found.mode() & 0o7777) | 0o001;
        fs::set_permissions(directory, fs::Permissions::from_mode(mode))
            .map_err(Error::io("open", directory))?;
    }
    Ok(())
}

/// Makes `directory` and what is missing above it: 0700, as root 0711, because PostgreSQL's user has to pass.
pub(crate) fn make_directories(directory: &Path) -> Result<(), Error> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent().filter(|parent| *parent != Path::new("")) {
        make_directories(parent)?;
    }
    let mode = if is_root() { 0o711 } else { 0o700 };
    match fs::DirBuilder::new().mode(mode).create(directory) {
        // The umask may have taken bits away.
        Ok(()) => fs::set_permissions(directory, fs::Permissions::from_mode(mode))
            .map_err(Error::io("open", directory)),
        Err(source) if source.kind() == ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(source) => Err(Error::io("make", directory)(source)),
    }
}

/// Makes `directory` if need be and gives its path without links.
pub(crate) fn real_directory(directory: &Path) -> Result<PathBuf, Error> {
    make_directories(directory)?;
    fs::canonicalize(directory).map_err(Error::io("find", directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\n\
        # a comment\n\
        nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false\n\
        postgres:x:101:104::/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn a_user_is_found_by_name_and_by_number() {
        let found = entry(USERS, |user| user.name == "postgres").unwrap();
        assert_eq!((found.uid, found.gid), (101, 104));
        assert_eq!(entry(USERS, |user| user.uid == 101), Some(found));
        assert_eq!(entry(USERS, |user| user.uid == 4_711), None);
    }

    #[test]
    fn a_negative_id_is_read_as_the_system_means_it() {
        assert_eq!(entry(USERS, |user| user.name == "nobody").unwrap().uid, u32::MAX - 1);
    }

    #[test]
    fn a_child_sees_nothing_of_our_environment_but_what_it_needs() {
        let account = Account { name: String::new(), uid: 0, gid: 0, drops: false };
        let command = account.command(Path::new("/bin/true"));
        let names: Vec<_> = command.get_envs().map(|(name, _value)| name.to_owned()).collect();
        assert!(names.iter().all(|name| !name.to_string_lossy().starts_with("PG")), "{names:?}");
        assert!(names.len() <= KEPT_VARIABLES.len() + 3, "{names:?}");
    }
}
