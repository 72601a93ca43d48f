//! The persistent cluster: shared by processes, stopped by the last one that leaves.

use std::fmt::{self, Debug, Formatter};
use std::fs;
use std::path::Path;

use crate::Error;
use crate::account::Account;
use crate::initialise::{self, DATABASE};
use crate::layout::Layout;
use crate::lock::Lock;
use crate::postmaster::{self, Presence};
use crate::run::Log;
use crate::server;
use crate::url;

/// A lease on the running local cluster of a data directory.
///
/// All calls block; from asynchronous code they belong into `spawn_blocking`, the drop too.
///
/// ```no_run
/// use simplebank_localpg::{DataDir, LocalPostgres};
///
/// let postgres = LocalPostgres::start(DataDir::find()?.path())?;
/// println!("{}", postgres.url());
/// postgres.stop()?; // the server stops, unless another process uses it
/// # Ok::<(), simplebank_localpg::Error>(())
/// ```
pub struct LocalPostgres {
    layout: Layout,
    account: Account,
    url: String,
    /// Held, together with others, as long as the lease lives; `None` once it has been given up.
    lease: Option<Lock>,
}

/// What became of the server when a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// This was the last lease: the server has been stopped.
    Stopped,
    /// Other leases exist: the server goes on, and the last of them stops it.
    InUse,
    /// The server goes on, because [`LocalPostgres::keep_running`] asked for it.
    Kept,
}

/// What [`LocalPostgres::status`] found.
#[derive(Clone, PartialEq, Eq)]
pub enum Status {
    /// There is no cluster in the data directory.
    NoCluster,
    /// There is one; no server runs.
    Stopped,
    /// A server runs.
    Running {
        /// Its process id.
        pid: i32,
        /// The URL of the database `simplebank`, with the password.
        url: String,
    },
}

impl LocalPostgres {
    /// A lease on the cluster in `<data_dir>/postgres`, which is made if there is none, adopted if it runs, started if
    /// not. Takes one or two seconds the first time, 0.15 s to start later, and 5 ms to adopt.
    ///
    /// # Errors
    ///
    /// [`Error::NotInstalled`], [`Error::NotSearchable`] and their like when this machine or this directory won't do;
    /// [`Error::Failed`] and [`Error::TooSlow`] with the end of the log when PostgreSQL won't start.
    pub fn start(data_dir: &Path) -> Result<Self, Error> {
        let layout = Layout::create(data_dir)?;
        let start_lock = Lock::exclusive(&layout.start_lock())?;
        let log = Log::at(layout.log());
        initialise::remove_leftovers(&layout);
        let account = if layout.cluster().exists() {
            let account = Account::owning(&layout.cluster())?;
            account.require_searchable(layout.base())?;
            account
        } else {
            let account = Account::for_new_cluster()?;
            account.require_searchable(layout.base())?;
            initialise::initialise(&layout, &account, &log)?;
            account
        };
        let password = initialise::read_password(&layout)?;
        let socket_dir = server::start_or_adopt(&layout, &account, &log)?;
        let lease = Lock::shared(&layout.users_lock())?;
        drop(start_lock);
        let url = url::local(&socket_dir, Some(&password), DATABASE);
        Ok(Self { layout, account, url, lease: Some(lease) })
    }

    /// Starts the server again if it has died, as after a kill; returns whether it had. While it runs, this costs a look
    /// at a file.
    ///
    /// # Errors
    ///
    /// As [`LocalPostgres::start`].
    pub fn revive(&self) -> Result<bool, Error> {
        if self.runs()? {
            return Ok(false);
        }
        let _start_lock = Lock::exclusive(&self.layout.start_lock())?;
        // Somebody else may have been faster.
        let has_died = !self.runs()?;
        server::start_or_adopt(&self.layout, &self.account, &Log::at(self.layout.log()))?;
        Ok(has_died)
    }

    fn runs(&self) -> Result<bool, Error> {
        Ok(matches!(postmaster::look(&self.layout.cluster())?, Presence::Running { .. }))
    }

    /// The URL of the database `simplebank`, with the superuser's password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The directory that holds the cluster; fit to be shown to people.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.layout.base()
    }

    /// Gives the lease up. The server stops if this was the last one, and unless it is kept.
    ///
    /// Dropping the lease does the same, but can't report a failure; a server that goes on by mistake is adopted by the
    /// next start.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] or [`Error::TooSlow`] when the server does not stop.
    pub fn stop(mut self) -> Result<Left, Error> {
        self.leave()
    }

    /// Gives the lease up, and lets the server run until [`LocalPostgres::stop_server`] whoever comes and goes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when this can't be noted down; then the lease ends as if dropped.
    pub fn keep_running(mut self) -> Result<(), Error> {
        let _start_lock = Lock::exclusive(&self.layout.start_lock())?;
        let kept = self.layout.kept();
        fs::write(&kept, "").map_err(Error::io("write", kept))?;
        self.lease = None;
        Ok(())
    }

    /// Stops the server of `data_dir`, also one that is kept or was left alone by a process that died. Returns whether
    /// one ran.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] while leases exist; [`Error::Failed`] or [`Error::TooSlow`] when the server does not stop.
    pub fn stop_server(data_dir: &Path) -> Result<bool, Error> {
        let Some(layout) = Layout::existing(data_dir) else { return Ok(false) };
        let _start_lock = Lock::exclusive(&layout.start_lock())?;
        if Lock::is_held(&layout.users_lock())? {
            return Err(Error::InUse { cluster: layout.cluster() });
        }
        let ran = matches!(postmaster::look(&layout.cluster())?, Presence::Running { .. });
        let account = Account::owning(&layout.cluster())?;
        server::stop(&layout, &account, &Log::at(layout.log()))?;
        let _ = fs::remove_file(layout.kept()); // mostly it does not exist
        Ok(ran)
    }

    /// Whether a server runs for `data_dir`, and where. Changes nothing and waits for nobody.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::PasswordMissing`] when the cluster's files can't be read.
    pub fn status(data_dir: &Path) -> Result<Status, Error> {
        let Some(layout) = Layout::existing(data_dir) else { return Ok(Status::NoCluster) };
        match postmaster::look(&layout.cluster())? {
            Presence::Running { pid, socket_dir } => {
                let password = initialise::read_password(&layout)?;
                let socket_dir = socket_dir.unwrap_or_else(|| layout.socket_dir());
                let url = url::local(&socket_dir, Some(&password), DATABASE);
                Ok(Status::Running { pid, url })
            }
            Presence::Absent | Presence::Stale => Ok(Status::Stopped),
        }
    }

    /// Ends the lease once; later calls find nothing to do.
    fn leave(&mut self) -> Result<Left, Error> {
        let Some(lease) = self.lease.take() else { return Ok(Left::InUse) };
        // Who leaves first waits here for who starts, and the other way round: nobody gets a server that is going down.
        let start_lock = Lock::exclusive(&self.layout.start_lock());
        drop(lease);
        let _start_lock = start_lock?;
        if Lock::is_held(&self.layout.users_lock())? {
            return Ok(Left::InUse);
        }
        if self.layout.kept().exists() {
            return Ok(Left::Kept);
        }
        server::stop(&self.layout, &self.account, &Log::at(self.layout.log()))?;
        Ok(Left::Stopped)
    }
}

impl Drop for LocalPostgres {
    fn drop(&mut self) {
        let _ = self.leave(); // a server that goes on is adopted by the next start
    }
}

/// Without the password.
impl Debug for LocalPostgres {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.debug_struct("LocalPostgres")
            .field("directory", &self.layout.base())
            .finish_non_exhaustive()
    }
}

/// Without the password.
impl Debug for Status {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCluster => out.write_str("NoCluster"),
            Self::Stopped => out.write_str("Stopped"),
            Self::Running { pid, url: _ } => {
                out.debug_struct("Running").field("pid", pid).finish_non_exhaustive()
            }
        }
    }
}
