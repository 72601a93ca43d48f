//! The makers from outside: what they issue they accept, and nothing else.

mod altered;
mod forge;
mod headers;
mod keys;
mod lifetime;
mod payloads;
mod purpose;
mod round_trip;
mod vectors;
