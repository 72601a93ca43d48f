//! The makers from outside: what they issue they accept, and nothing else.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod altered;
mod arbitrary;
mod attacks;
mod footers;
mod forge;
mod headers;
mod keys;
mod lifetime;
mod payloads;
mod purpose;
mod remembered;
mod rotation;
mod round_trip;
mod strangers;
