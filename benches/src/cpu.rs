//! Processor time by process, from Linux's `/proc`; elsewhere nothing is known.

use std::{fs, time::Duration};

/// The place of `utime` in `/proc/<pid>/stat`, counted from the field after the name.
const UTIME: usize = 11;

/// How often a family is read, until nobody dies meanwhile.
const FAMILY_READINGS_MAX: u32 = 1_000;

/// What a process has used, and its children that are gone and waited for.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    own: Duration,
    waited_for: Duration,
    parent: u32,
}

/// Processor time of this process and of its children that are gone.
pub(crate) fn of_self() -> Option<Duration> {
    let used = used(std::process::id())?;
    Some(used.own + used.waited_for)
}

/// Processor time of one process.
pub(crate) fn of(pid: u32) -> Option<Duration> {
    used(pid).map(|used| used.own)
}

/// Processor time of a process and all its children, those that are gone included.
pub(crate) fn of_family(pid: u32) -> Option<Duration> {
    for _ in 0..FAMILY_READINGS_MAX {
        let before = used(pid)?;
        let mut children = Duration::ZERO;
        for entry in fs::read_dir("/proc").ok()?.filter_map(Result::ok) {
            let child =
                entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(used);
            children +=
                child.filter(|child| child.parent == pid).map_or(Duration::ZERO, |child| child.own);
        }
        let after = used(pid)?;
        // A child that went in between would be missing, or there twice.
        if before.waited_for == after.waited_for {
            return Some(after.own + after.waited_for + children);
        }
    }
    None
}

/// Memory that a process has in RAM, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn used(pid: u32) -> Option<Used> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(stat: &str) -> Option<Used> {
    // The name is in brackets, and may hold any character.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |place: usize| -> Option<Duration> {
        let ticks: u64 = fields.get(place)?.parse().ok()?;
        let each =
            Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
        Some(each * u32::try_from(ticks).ok()?)
    };
    Some(Used {
        own: ticks(UTIME)? + ticks(UTIME + 1)?,
        waited_for: ticks(UTIME + 2)? + ticks(UTIME + 3)?,
        parent: fields.get(1)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_fields_of_a_process_are_found_behind_an_odd_name() {
        let used =
            super::parse("7 (a) b) S 42 1 1 0 -1 4194304 1 2 3 4 500 25 10 5 20 0 1 0 9 8 7")
                .unwrap();
        assert_eq!(used.parent, 42);
        assert_eq!(
            (used.own, used.waited_for),
            (super::Duration::from_millis(5_250), super::Duration::from_millis(150))
        );
    }
}
