//! The door by which randomness enters this crate: request ids and the names of files.

/// Bytes that nobody can foresee.
///
/// # Errors
///
/// When the operating system gives none.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    #[expect(clippy::disallowed_methods, reason = "the door by which randomness enters")]
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
