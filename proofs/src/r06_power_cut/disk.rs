//! A disk of the trial's own: ext4 on a loop device, whose contents at one moment can be had.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The shell program that removes everything in whatever way this process ends.
const KEEPER: &str = include_str!("keeper.sh");
/// What the directories of all such trials begin with, in the temporary directory.
const PREFIX: &str = "simplebank-power-cut";
/// Room for a cluster, its write-ahead log and the transfers of fifty cuts; a file with holes takes what is written to it.
const SIZE: &str = "2G";
/// ext4 commits its journal by itself every 300 s instead of 5: in a trial of minutes, it does so when PostgreSQL syncs.
const OPTIONS: &str = "loop,noatime,commit=300";
/// How often a copy is made again because the kernel wrote meanwhile.
const COPIES_MAX: u32 = 20;
/// How long the keeper may take to make things and to remove them.
const KEEPER_LIMIT: Duration = Duration::from_secs(30);
/// Between two looks at something that can't be waited for.
const POLL: Duration = Duration::from_millis(5);

/// A mounted file system, the loop device below it and the file below that. Everything vanishes with the value, and with
/// the process.
#[derive(Debug)]
pub(super) struct Disk {
    directory: PathBuf,
    /// The loop device's counters, as `/sys/block/loop0/stat`.
    counters: PathBuf,
    keeper: Child,
}

impl Disk {
    /// Makes and mounts it. Blocks.
    ///
    /// # Errors
    ///
    /// Why it can't be had here.
    pub(super) fn make(name: u64) -> Result<Self, String> {
        if fs::metadata("/proc/self").map_or(true, |own| own.uid() != 0) {
            return Err("this process isn't root".to_owned());
        }
        let prefix = env::temp_dir().join(PREFIX);
        let directory = env::temp_dir().join(format!("{PREFIX}-{}-{name:016x}", process::id()));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", KEEPER, "keeper"]).args([&prefix, &directory]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut keeper = command.spawn().map_err(|error| format!("no shell: {error}"))?;
        let mut answer = String::new();
        let stdout = keeper.stdout.take().expect("it is piped");
        // The read ends with the keeper, at the latest.
        let _ = BufReader::new(stdout.take(16)).read_line(&mut answer);
        // From here on, a failure drops the value, and that makes the keeper clean up.
        let mut disk = Self { directory, counters: PathBuf::new(), keeper };
        if answer != "ok\n" {
            return Err(format!("{} can't be made", disk.directory.display()));
        }
        let image = disk.image();
        run(Command::new("truncate").args(["--size", SIZE]).arg(&image))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-E", "lazy_itable_init=0"]).arg(&image))?;
        let mounted = disk.mounted();
        run(Command::new("mount").args(["-o", OPTIONS]).args([&image, &mounted]))?;
        // As /tmp: PostgreSQL's user makes its directory there.
        fs::set_permissions(&mounted, fs::Permissions::from_mode(0o1777))
            .map_err(|error| format!("the file system can't be opened: {error}"))?;
        disk.counters = counters_below(&mounted)?;
        Ok(disk)
    }

    /// Where the file system is mounted.
    pub(super) fn mounted(&self) -> PathBuf {
        self.directory.join("disk")
    }

    /// Where a copy is mounted.
    pub(super) fn copy_mounted(&self) -> PathBuf {
        self.directory.join("copy")
    }

    /// A directory for a socket, on another file system.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes everything that was written so far durable. Blocks.
    pub(super) fn sync(&self) {
        let synced = run(Command::new("sync").arg("--file-system").arg(self.mounted()));
        synced.expect("the disk is mounted");
    }

    /// Copies the device as it is at one moment, which is when nothing is written to it from before the copy is begun
    /// until after it is complete. Blocks.
    ///
    /// # Errors
    ///
    /// When the kernel writes on and on.
    pub(super) fn copy(&self) -> Result<(), String> {
        for _ in 0..COPIES_MAX {
            let before = self.written();
            let (image, copy) = (self.image(), self.copy_image());
            run(Command::new("cp").arg("--sparse=always").args([&image, &copy]))?;
            if before.is_some() && before == self.written() {
                return Ok(());
            }
        }
        Err(format!("the device was written to during each of {COPIES_MAX} copies"))
    }

    /// Mounts the copy; ext4 recovers, as after a power cut. Blocks.
    ///
    /// # Errors
    ///
    /// When it can't be mounted.
    pub(super) fn mount_copy(&self) -> Result<(), String> {
        let (image, mounted) = (self.copy_image(), self.copy_mounted());
        run(Command::new("mount").args(["-o", "loop"]).args([&image, &mounted]))
    }

    /// Unmounts the copy, which is forgotten with that. Blocks.
    pub(super) fn unmount_copy(&self) {
        let unmounted = run(Command::new("umount").arg(self.copy_mounted()));
        unmounted.expect("nobody uses the copy any more");
        fs::remove_file(self.copy_image()).expect("the copy is there");
    }

    fn image(&self) -> PathBuf {
        self.directory.join("disk.image")
    }

    fn copy_image(&self) -> PathBuf {
        self.directory.join("copy.image")
    }

    /// What tells whether the device was written to: how many writes, discards and flushes it has completed; `None` while
    /// a request is in flight (Linux, Documentation/block/stat.rst).
    fn written(&self) -> Option<[String; 3]> {
        const WRITES: usize = 4;
        const IN_FLIGHT: usize = 8;
        const DISCARDS: usize = 11;
        const FLUSHES: usize = 15;
        let text = fs::read_to_string(&self.counters).expect("the device is there");
        let fields: Vec<&str> = text.split_whitespace().collect();
        let field = |number: usize| (*fields.get(number).expect("Linux 5.5 has 17")).to_owned();
        (field(IN_FLIGHT) == "0").then(|| [WRITES, DISCARDS, FLUSHES].map(field))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let begun = Instant::now();
        while let Ok(None) = self.keeper.try_wait()
            && begun.elapsed() < KEEPER_LIMIT
        {
            std::thread::sleep(POLL);
        }
    }
}

/// The counters of the device on which a file system is mounted.
fn counters_below(mounted: &Path) -> Result<PathBuf, String> {
    let found =
        Command::new("findmnt").args(["-n", "-o", "SOURCE", "--mountpoint"]).arg(mounted).output();
    let found = found.map_err(|error| format!("findmnt: {error}"))?;
    let device = String::from_utf8_lossy(&found.stdout).trim().replace("/dev/", "");
    let counters = Path::new("/sys/block").join(device).join("stat");
    if counters.is_file() {
        Ok(counters)
    } else {
        Err("the loop device has no counters".to_owned())
    }
}

/// Runs a program to its end.
fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
