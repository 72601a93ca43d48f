//! Texts that people type, parsed once: what is wrong with one is told with what is allowed.

use thiserror::Error;

/// Why a text was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidText {
    /// Fewer or more characters than allowed.
    #[error("must have {min} to {max} characters, has {length}")]
    Length {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
        /// Characters found.
        length: usize,
    },
    /// A character that is not allowed, or not at its place.
    #[error("must {rule}")]
    Character {
        /// What is allowed, as the end of "must …".
        rule: &'static str,
    },
}

/// Refuses `text` unless it has `min` to `max` characters (Unicode scalar values).
pub(crate) fn check_length(text: &str, min: usize, max: usize) -> Result<(), InvalidText> {
    let length = text.chars().count();
    if (min..=max).contains(&length) {
        Ok(())
    } else {
        Err(InvalidText::Length { min, max, length })
    }
}

/// Refuses `text` unless `allowed`; `rule` ends the sentence "must …".
pub(crate) fn check_rule(allowed: bool, rule: &'static str) -> Result<(), InvalidText> {
    if allowed { Ok(()) } else { Err(InvalidText::Character { rule }) }
}

/// True for characters that print nothing, reorder what is printed, or end a line: in a name they only deceive.
///
/// These are the control characters, the line and paragraph separators, the bidirectional formatting characters (Unicode
/// Standard Annex 9, table 4) and what else has the property `Default_Ignorable_Code_Point` (Unicode 16).
pub(crate) fn is_deceptive(character: char) -> bool {
    let is_ignorable = matches!(
        u32::from(character),
        0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
            | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff
    );
    character.is_control() || is_ignorable
}
