//! The door through which randomness enters: passwords and the names of new directories.

use std::fmt::Write as _;

/// `N` random bytes as lower-case hexadecimal digits, two per byte.
#[expect(clippy::disallowed_methods, reason = "the crate's one door for randomness")]
pub(crate) fn hex<const N: usize>() -> String {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes.iter().fold(String::with_capacity(N * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}
