//! A local PostgreSQL without set-up: found on the machine, initialised, started, adopted and stopped.
//!
//! The crate downloads nothing and needs none of PostgreSQL's client programs: an installation with `initdb`, `pg_ctl`
//! and `postgres` is enough. It imports no other crate of the project, so any of them can use it in tests.
//!
//! # Two kinds of clusters
//!
//! - [`LocalPostgres`] is a lease on the **persistent** cluster of a data directory: durable settings, data checksums,
//!   scram-sha-256 with a random password. Any number of processes share it.
//! - [`ThrowawayCluster`] lives in a new temporary directory, is as fast as PostgreSQL can be, and vanishes with the
//!   process in whatever way that dies.
//!
//! Both listen on a Unix socket only, in a directory that nobody else can enter.
//!
//! # The persistent cluster, step by step
//!
//! 1. **Directory.** `<data_dir>/postgres` is made. As root, PostgreSQL's programs run as the user `postgres` (or
//!    `nobody`), who must be able to get there; if he can't, the error names the closed directory.
//! 2. **Lock.** `start.lock` is taken: one process at a time starts or stops. The system releases it if that one dies.
//! 3. **Initialise**, the first time (1 to 2 s): into a directory with another name, renamed when complete. What a
//!    killed attempt left is removed by the next start.
//! 4. **Adopt or start** (0.1 s): a server that runs in this directory is adopted, whoever started it; a pid file
//!    without its server fools nobody. Crash recovery is waited for.
//! 5. **Lease.** `users.lock` is taken together with all other users, and `start.lock` released.
//! 6. **Leave.** Under `start.lock` again, whoever finds that nobody else holds `users.lock` stops the server with a
//!    fast shutdown. So the first to come starts it and the last to leave stops it, and neither needs to know that he
//!    is. A process that was killed leaves a running server behind, which the next one adopts; it is never a reason to
//!    lose data, because the settings are durable.
//!
//! The server is not a child that dies with its starter, on purpose: other processes may be using it.
//!
//! # The throw-away cluster
//!
//! All its steps are taken by a keeper, a small shell program at the other end of a pipe. When the pipe closes, by a
//! drop or by any death of the process, the keeper stops the server and removes the directory. It makes the directory
//! itself, so there is no moment in which something could be left.
//!
//! # Blocking
//!
//! Everything here blocks, for seconds at worst the first time; in asynchronous code use `spawn_blocking`.
//!
//! ```no_run
//! use simplebank_localpg::{DataDir, LocalPostgres, ThrowawayCluster};
//!
//! // For good, in /var/lib/simplebank or ~/.local/share/simplebank:
//! let postgres = LocalPostgres::start(DataDir::find()?.path())?;
//! println!("connect to {}", postgres.url());
//!
//! // For a test:
//! let cluster = ThrowawayCluster::start()?;
//! println!("connect to {}", cluster.url("postgres"));
//! # Ok::<(), simplebank_localpg::Error>(())
//! ```

mod account;
#[cfg(feature = "clap")]
mod args;
mod data_dir;
mod error;
mod initialise;
mod installation;
mod layout;
mod local;
mod lock;
mod postmaster;
mod random;
mod run;
mod server;
mod throwaway;
mod url;

#[cfg(feature = "clap")]
pub use args::{Database, DatabaseArgs};
pub use data_dir::DataDir;
pub use error::Error;
pub use installation::Installation;
pub use local::{Left, LocalPostgres, Status};
pub use throwaway::{ThrowawayCluster, ThrowawayOptions};
