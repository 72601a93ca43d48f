//! What makes 32 bytes a bad secret, if anything is seen to.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::KeyError;

/// Keys that stand in many a public repository, and the public halves of those that have one, in base64url.
pub(super) const WELL_KNOWN: [&str; 10] = [
    // The key of a well-known course: 12345678901234567890123456789012.
    "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI",
    // RFC 7520 §3.5.
    "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    // RFC 8032 §7.1, three pairs; the first is that of RFC 8037 too.
    "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs",
    "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
    "xaqN9D-fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc",
    "_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU",
    // The test vectors of PASETO v4.public.
    "tMv7Q99M4hByfZU-SnEzB_oZu32fhQQUONnhG5QqN3Q",
    "Hrnbu7wEfAP9cGBOAHHwmH4Wsot1ciXBHwBBXQ4gsaI",
];

/// The fewest different bytes in a secret.
///
/// Random bytes fall short less than once in 2^80 keys, 32 random letters and digits less than once in 10^12; 32 random
/// hex digits, which have half the bits, once in 60.
pub(super) const DISTINCT_BYTES_MIN: usize = 12;

/// True if these bytes are a published key, or its public half.
pub(super) fn is_well_known(bytes: &[u8]) -> bool {
    let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes));
    WELL_KNOWN.contains(&encoded.as_str())
}

/// Passes 32 bytes unless they are seen not to be random.
pub(super) fn refuse(bytes: &[u8; 32]) -> Result<(), KeyError> {
    if is_well_known(bytes) {
        return Err(KeyError::WellKnown);
    }
    let repeats = |period| bytes.iter().zip(bytes.iter().skip(period)).all(|(a, b)| a == b);
    if (1..=bytes.len() / 2).any(repeats) {
        return Err(KeyError::Repetition);
    }
    let steps = bytes.iter().zip(bytes.iter().skip(1));
    let steps_of_one = steps.filter(|(a, b)| a.abs_diff(**b) == 1).count();
    if bytes.is_sorted() || bytes.iter().rev().is_sorted() || steps_of_one > bytes.len() / 2 {
        return Err(KeyError::Sequence);
    }
    let is_first = |(at, byte): &(usize, &u8)| !bytes.iter().take(*at).any(|other| other == *byte);
    if bytes.iter().enumerate().filter(is_first).count() < DISTINCT_BYTES_MIN {
        return Err(KeyError::Monotony);
    }
    Ok(())
}
