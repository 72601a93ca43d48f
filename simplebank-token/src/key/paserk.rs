//! PASERK: a key as text, after a header that says what it is, and its id.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use blake2::{Blake2b, Digest, digest::consts::U33};
use zeroize::Zeroizing;

use super::KeyError;

/// The key of exactly `N` bytes in what follows the header: base64url without padding, in its one spelling.
pub(super) fn decode<const N: usize>(encoded: &str) -> Result<Zeroizing<[u8; N]>, KeyError> {
    let mut bytes = Zeroizing::new([0; N]);
    match URL_SAFE_NO_PAD.decode_slice(encoded, bytes.as_mut_slice()) {
        Ok(length) if length == N => Ok(bytes),
        Ok(_) | Err(_) => Err(KeyError::Paserk),
    }
}

/// A key behind its header. Nothing but the result holds the key's text.
pub(super) fn encode(header: &str, bytes: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes));
    Zeroizing::new([header, encoded.as_str()].concat())
}

/// The id of a key (PASERK's operation *ID*): 33 bytes of BLAKE2b over the id's header and the key's text, behind that header.
pub(super) fn id(header: &str, paserk: &str) -> String {
    let hash = Blake2b::<U33>::new().chain_update(header).chain_update(paserk).finalize();
    [header, &URL_SAFE_NO_PAD.encode(hash)].concat()
}
