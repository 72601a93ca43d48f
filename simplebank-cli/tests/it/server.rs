//! The server's binary, for tests of the two together.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A running `simplebank-http` on a port of its own. Dropping it kills it.
pub(crate) struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// Starts one on the bank in `data_dir` and waits until it says that it listens.
    pub(crate) fn start(data_dir: &Path) -> Self {
        let mut command = Command::new(binary());
        command.args(["--http-server-address", "127.0.0.1:0", "--log-level", "warn"]);
        let mut process =
            own_settings(&mut command, data_dir).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once("http://").map(|(_, address)| address.to_owned());
        // What it says after that must not fill the pipe.
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Self {
            process,
            address: address.unwrap_or_else(|| panic!("the server did not start: {line:?}")),
        }
    }

    /// Such as `127.0.0.1:40123`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already dead is fine.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Takes all settings of a bank from `data_dir`, and none from the environment.
pub(crate) fn own_settings<'a>(command: &'a mut Command, data_dir: &Path) -> &'a mut Command {
    for name in [
        "DATABASE_URL",
        "DB_SOURCE",
        "TOKEN_SYMMETRIC_KEY",
        "HTTP_SERVER_ADDRESS",
        "LOG_FORMAT",
        "ENVIRONMENT",
    ] {
        command.env_remove(name);
    }
    command.env("SIMPLEBANK_DATA_DIR", data_dir)
}

/// The server's binary beside ours. `cargo test --workspace` has built it; a run of this crate alone builds it here.
fn binary() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_simplebank")).with_file_name("simplebank-http");
    if !path.exists() {
        let build = Command::new(env!("CARGO"))
            .args(["build", "--package", "simplebank-http"])
            .status()
            .unwrap();
        assert!(build.success(), "simplebank-http does not build");
    }
    path
}

/// Stops the local PostgreSQL that a killed server has left running.
pub(crate) struct LeftOver<'a>(pub(crate) &'a Path);

impl Drop for LeftOver<'_> {
    fn drop(&mut self) {
        if let Err(error) = simplebank_localpg::LocalPostgres::stop_server(self.0) {
            eprintln!("a PostgreSQL stays behind in {}: {error}", self.0.display());
        }
    }
}
