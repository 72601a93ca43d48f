//! Asking the table of powers.

use simplebank_core::{Principal, access::Power};

use crate::Error;

/// Refuses whoever lacks a power.
pub(crate) fn require(by: &Principal, power: Power) -> Result<(), Error> {
    if by.may(power) { Ok(()) } else { Err(Error::Forbidden) }
}
