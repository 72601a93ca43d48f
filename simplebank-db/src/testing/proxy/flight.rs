//! Flights: what a client sends at once before it waits for an answer, a simple query or the messages up to a Sync.

use std::{collections::HashMap, io};

use super::{
    statement::Contents,
    wire::{MESSAGE_MAX_BYTES, Message, text, too_long},
};

/// Names of prepared statements and portals that are remembered for a connection; further ones count as plain statements.
const NAMES_MAX: usize = 10_000;

/// What a client sends at once.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) bytes: Vec<u8>,
    /// What it executes; nothing when it only prepares, or only asks whether anybody is there.
    pub(super) contents: Contents,
}

/// What to do with a client's message.
#[derive(Debug)]
pub(super) enum Next {
    /// Wait for the rest of its flight.
    Wait,
    /// This flight is complete: the server will answer it.
    Pass(Flight),
    /// These bytes are no flight: the server doesn't answer them, or nobody waits for its answer alone.
    PassUnseen(Vec<u8>),
}

/// Gathers a client's messages into flights.
#[derive(Debug, Default)]
pub(super) struct Gatherer {
    bytes: Vec<u8>,
    contents: Contents,
    statements: HashMap<Vec<u8>, Contents>,
    portals: HashMap<Vec<u8>, Contents>,
}

impl Gatherer {
    pub(super) fn add(&mut self, message: &Message) -> io::Result<Next> {
        if self.bytes.len() + message.bytes().len() > MESSAGE_MAX_BYTES {
            return Err(too_long());
        }
        self.bytes.extend_from_slice(message.bytes());
        let body = message.body();
        match message.kind() {
            b'P' => self.parse(body),
            b'B' => self.bind(body),
            b'E' => self.contents = self.contents | look_up(&self.portals, text(body).0),
            b'C' => self.close(body),
            b'D' => {}
            b'Q' => {
                self.contents = self.contents | of_text(text(body).0);
                return Ok(Next::Pass(self.complete()));
            }
            b'S' => return Ok(Next::Pass(self.complete())),
            // Flush, which sqlx doesn't send; passwords; the rows of a COPY; the end.
            _ => return Ok(Next::PassUnseen(self.complete().bytes)),
        }
        Ok(Next::Wait)
    }

    fn complete(&mut self) -> Flight {
        Flight {
            bytes: std::mem::take(&mut self.bytes),
            contents: std::mem::take(&mut self.contents),
        }
    }

    fn parse(&mut self, body: &[u8]) {
        let (name, rest) = text(body);
        remember(&mut self.statements, name, of_text(text(rest).0));
    }

    fn bind(&mut self, body: &[u8]) {
        let (portal, rest) = text(body);
        let contents = look_up(&self.statements, text(rest).0);
        remember(&mut self.portals, portal, contents);
    }

    fn close(&mut self, body: &[u8]) {
        match body.split_first() {
            Some((b'S', rest)) => _ = self.statements.remove(text(rest).0),
            Some((b'P', rest)) => _ = self.portals.remove(text(rest).0),
            Some(_) | None => {}
        }
    }
}

fn of_text(sql: &[u8]) -> Contents {
    Contents::of(&String::from_utf8_lossy(sql))
}

fn remember(names: &mut HashMap<Vec<u8>, Contents>, name: &[u8], contents: Contents) {
    if names.len() < NAMES_MAX || names.contains_key(name) {
        names.insert(name.to_vec(), contents);
    }
}

fn look_up(names: &HashMap<Vec<u8>, Contents>, name: &[u8]) -> Contents {
    let unknown = Contents { others: true, ..Contents::default() };
    names.get(name).copied().unwrap_or(unknown)
}
