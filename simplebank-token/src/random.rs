//! The door by which randomness enters this crate: fresh keys. (The nonces of PASETO v4.local are pasetors' own.)

use zeroize::Zeroizing;

/// Bytes that nobody can foresee, wiped when dropped.
pub(crate) fn bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; N]);
    #[expect(clippy::disallowed_methods, reason = "the door by which randomness enters")]
    getrandom::fill(bytes.as_mut_slice())?;
    Ok(bytes)
}
