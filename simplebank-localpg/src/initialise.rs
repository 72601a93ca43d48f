//! Makes a persistent cluster, complete or not at all. The caller holds the start lock.
//!
//! 1. Remove what a killed attempt left.
//! 2. Write the password file, unless an earlier attempt did.
//! 3. `initdb` into a new directory with a random name (about 1 s; much of it is syncing).
//! 4. Create the database `simplebank` with a server in single-user mode (0.5 s), so that no client program is needed.
//! 5. Rename the directory into place and sync its parent.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::account::Account;
use crate::installation::Installation;
use crate::layout::Layout;
use crate::random;
use crate::run::{self, Log};
use crate::url::SUPERUSER;

/// The database for the project's tables.
pub(crate) const DATABASE: &str = "simplebank";

/// `initdb` takes a second; on a slow disk, syncing a thousand files can take many.
const INITDB_LIMIT: Duration = Duration::from_secs(120);

/// Single-user mode: a start, one command and a checkpoint.
const FIRST_COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// How long the remains of a killed attempt may resist their removal: its `initdb` can outlive it and still write.
const REMOVAL_LIMIT: Duration = Duration::from_secs(10);

/// 256 bits; far beyond guessing.
const PASSWORD_BYTES: usize = 32;

/// Removes what earlier attempts left, then makes the cluster.
pub(crate) fn initialise(layout: &Layout, account: &Account, log: &Log) -> Result<(), Error> {
    let installation = Installation::find()?;
    let unfinished = layout.unfinished(&random::hex::<8>());
    account.private_directory(&unfinished)?;
    let password = read_or_make_password(layout)?;
    let password_file = unfinished.join("password");
    let mut file = create(&password_file)?;
    account.own_file(&file, &password_file)?;
    file.write_all(password.as_bytes()).map_err(Error::io("write", &password_file))?;

    let made = unfinished.join("data");
    make(&installation, account, &made, &password_file, log)?;
    create_database(&installation, account, &made, log)?;

    let cluster = layout.cluster();
    fs::rename(&made, &cluster).map_err(Error::io("put into place", &cluster))?;
    sync(layout.base())?;
    remove(&unfinished);
    Ok(())
}

/// Removes the remains of attempts that were cut short.
pub(crate) fn remove_leftovers(layout: &Layout) {
    for leftover in layout.leftovers() {
        remove(&leftover);
    }
}

/// The password of the existing cluster.
pub(crate) fn read_password(layout: &Layout) -> Result<String, Error> {
    let path = layout.password();
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) if source.kind() == ErrorKind::NotFound => Err(Error::PasswordMissing { path }),
        Err(source) => Err(Error::io("read", path)(source)),
    }
}

/// The password exists before the cluster does, so there is never a cluster whose password is lost.
fn read_or_make_password(layout: &Layout) -> Result<String, Error> {
    let path = layout.password();
    if path.exists() {
        return read_password(layout);
    }
    let password = random::hex::<PASSWORD_BYTES>();
    let draft = layout.unfinished("password");
    let mut file = create(&draft)?;
    file.write_all(password.as_bytes()).map_err(Error::io("write", &draft))?;
    file.sync_all().map_err(Error::io("sync", &draft))?;
    fs::rename(&draft, &path).map_err(Error::io("put into place", &path))?;
    sync(layout.base())?;
    Ok(password)
}

/// Runs `initdb`: with `C.UTF-8` for the kinds of characters, or plain `C` where that locale does not exist.
fn make(
    installation: &Installation,
    account: &Account,
    directory: &Path,
    password_file: &Path,
    log: &Log,
) -> Result<(), Error> {
    let initdb = |locale: &[&str]| {
        let mut command = account.command(&installation.program("initdb"));
        command.arg("-D").arg(directory).arg("--pwfile").arg(password_file);
        command.args(["-U", SUPERUSER, "-A", "scram-sha-256", "-E", "UTF8", "--data-checksums"]);
        run::run(account, command.args(locale), "", log, INITDB_LIMIT)
    };
    initdb(&["--locale=C", "--lc-ctype=C.UTF-8"]).or_else(|_| initdb(&["--locale=C"]))
}

/// Creates [`DATABASE`] without a running server.
fn create_database(
    installation: &Installation,
    account: &Account,
    directory: &Path,
    log: &Log,
) -> Result<(), Error> {
    let mut command = account.command(&installation.program("postgres"));
    // Without exit_on_error the program succeeds even if its command does not.
    command.args(["--single", "-c", "exit_on_error=on", "-D"]).arg(directory).arg("postgres");
    let input = format!("create database {DATABASE}\n");
    run::run(account, &mut command, &input, log, FIRST_COMMAND_LIMIT)
}

/// A new file that only its owner can read; an error if there is one already.
fn create(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::io("make", path))
}

/// Makes a rename in `directory` survive a power failure.
fn sync(directory: &Path) -> Result<(), Error> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(Error::io("sync", directory))
}

/// Removes a file or a directory. What resists is left for the next start: it is in nobody's way.
fn remove(path: &Path) {
    let begun = Instant::now();
    loop {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        match removed {
            Err(source)
                if source.kind() != ErrorKind::NotFound && begun.elapsed() < REMOVAL_LIMIT =>
            {
                thread::sleep(run::POLL);
            }
            _ => return,
        }
    }
}
