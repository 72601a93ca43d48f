//! The makers from outside: what they issue they accept, and nothing else.

mod altered;
mod attacks;
mod footers;
mod forge;
mod headers;
mod keys;
mod lifetime;
mod payloads;
mod purpose;
mod rotation;
mod round_trip;
mod strangers;
