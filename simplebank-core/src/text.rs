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
pub(crate) fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
