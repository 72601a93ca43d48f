//! One connection through the proxy, from its opening to its end.
//!
//! Client and server take turns: after a flight, the client is heard again when the server is ready for it (or asks for the
//! rows of a COPY). So the state of the transaction is always known when a flight arrives. Ending a session closes both
//! sides, since it owns them.

use std::{io, sync::Arc, time::Duration};

use super::{
    fault::{Fault, Occasion, Strike, Transaction},
    flight::{Flight, Gatherer, Next},
    plan::{Claim, Held, Plan},
    upstream::Upstream,
    wire::{MESSAGE_MAX_BYTES, Message, Opening, Wire, too_long},
};

/// Both ends of a connection. Functions that take it by value and don't give it back end it.
pub(super) struct Session {
    client: Wire,
    server: Wire,
    plan: Arc<Plan>,
    gatherer: Gatherer,
    transaction: Transaction,
    is_clients_turn: bool,
}

/// Serves a client until either side closes or a fault ends the connection.
pub(super) async fn serve(
    mut client: Wire,
    upstream: &Upstream,
    plan: Arc<Plan>,
) -> io::Result<()> {
    let startup = loop {
        match client.opening().await? {
            None => return Ok(()),
            Some(Opening::Encryption) => client.send(b"N").await?,
            Some(Opening::Cancel(bytes)) => {
                let mut server = upstream.connect().await?;
                server.send(&bytes).await?;
                server.closed().await;
                return Ok(());
            }
            Some(Opening::Startup(bytes)) => break bytes,
        }
    };
    let mut server = upstream.connect().await?;
    server.send(&startup).await?;
    let mut session = Session {
        client,
        server,
        plan,
        gatherer: Gatherer::default(),
        transaction: Transaction::None,
        is_clients_turn: true,
    };
    while let Some(same) = session.step().await? {
        session = same;
    }
    Ok(())
}

impl Session {
    /// Passes on what comes next from either side; `None` at the end.
    async fn step(mut self) -> io::Result<Option<Self>> {
        tokio::select! {
            biased; // A server that says goodbye is heard before the client speaks into the void.
            message = self.server.message() => match message? {
                Some(message) => self.answer(message).await,
                None => Ok(None),
            },
            message = self.client.message(), if self.is_clients_turn => match message? {
                Some(message) => match self.gatherer.add(&message)? {
                    Next::Wait => Ok(Some(self)),
                    Next::Pass(flight) => self.fly(flight).await,
                    Next::PassUnseen(bytes) => {
                        self.server.send(&bytes).await?;
                        Ok(Some(self))
                    }
                },
                None => Ok(None),
            },
        }
    }

    /// Passes on a message of the server and those that have come with it.
    async fn answer(mut self, first: Message) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            self.note(&message);
            bytes.extend_from_slice(message.bytes());
            next = if bytes.len() < MESSAGE_MAX_BYTES { self.server.message_read()? } else { None };
        }
        self.client.send(&bytes).await?;
        Ok(Some(self))
    }

    /// Learns from a message of the server whose turn it is, and what has become of the transaction.
    fn note(&mut self, message: &Message) {
        match message.kind() {
            b'Z' => {
                self.is_clients_turn = true;
                self.transaction = match message.body() {
                    b"T" => Transaction::Open,
                    b"E" => Transaction::Failed,
                    _ => Transaction::None,
                };
            }
            // It asks for the rows of a COPY.
            b'G' | b'W' => self.is_clients_turn = true,
            _ => {}
        }
    }

    /// Passes on a flight, or lets a fault have it.
    async fn fly(self, flight: Flight) -> io::Result<Option<Self>> {
        self.plan.count(flight.contents);
        let occasion = Occasion::of(flight.contents, self.transaction);
        let Some(claim) = self.plan.claim(occasion) else { return self.pass(&flight).await };
        match claim.fault() {
            Fault::Statement(_, strike) | Fault::BeforeCommit(strike) => {
                self.strike_before(claim, strike, &flight).await
            }
            Fault::StatementFails(_, state) => self.fail(claim, state).await,
            Fault::CommitFails(state) => self.fail_commit(claim, state).await,
            Fault::DuringCommit => self.cut_during(claim, &flight).await,
            Fault::LateCommit(delay) => self.deliver_late(claim, delay, &flight).await,
            Fault::AfterCommit(strike) => self.strike_after(claim, strike, &flight).await,
        }
    }

    async fn pass(mut self, flight: &Flight) -> io::Result<Option<Self>> {
        // A server that doesn't listen any more may still have said why.
        let _ = self.server.send(&flight.bytes).await;
        self.is_clients_turn = false;
        Ok(Some(self))
    }

    async fn cut_during(mut self, claim: Claim, flight: &Flight) -> io::Result<Option<Self>> {
        self.server.send(&flight.bytes).await?;
        drop(self);
        claim.struck();
        Ok(None)
    }

    async fn strike_before(
        self,
        claim: Claim,
        strike: Strike,
        flight: &Flight,
    ) -> io::Result<Option<Self>> {
        let _held = self.hold(strike);
        match self.strike(claim, strike).await {
            Some(same) => same.pass(flight).await,
            None => Ok(None),
        }
    }

    /// Lets the server commit and strikes between its answer and the client. If the transaction didn't commit, the answer
    /// is passed on and the fault waits for another one.
    async fn strike_after(
        mut self,
        claim: Claim,
        strike: Strike,
        flight: &Flight,
    ) -> io::Result<Option<Self>> {
        let answer = self.exchange(&flight.bytes).await?;
        let is_committed = match flight.contents.commits {
            true => answer
                .iter()
                .any(|message| message.kind() == b'C' && message.body().starts_with(b"COMMIT\0")),
            // Its own COMMIT.
            false => answer.iter().all(|message| message.kind() != b'E'),
        };
        if !is_committed {
            drop(claim);
            return self.give(&answer).await;
        }
        let _held = self.hold(strike);
        match self.strike(claim, strike).await {
            Some(same) => same.give(&answer).await,
            None => Ok(None),
        }
    }

    /// Tells whoever waits that something is delayed, for as long as the result lives.
    fn hold(&self, strike: Strike) -> Option<Held> {
        match strike {
            Strike::Delay(_) => Some(self.plan.hold()),
            Strike::Cut | Strike::Hang => None,
        }
    }

    /// Cuts, delays or hangs; gives the session back if it goes on.
    async fn strike(self, claim: Claim, strike: Strike) -> Option<Self> {
        match strike {
            Strike::Cut => {
                drop(self);
                claim.struck();
                None
            }
            Strike::Delay(delay) => {
                claim.struck();
                tokio::time::sleep(delay).await;
                Some(self)
            }
            Strike::Hang => {
                claim.struck();
                tokio::join!(self.client.closed(), self.server.closed());
                None
            }
        }
    }

    /// Cuts the client off and delivers its flight when it is gone.
    async fn deliver_late(
        self,
        claim: Claim,
        delay: Duration,
        flight: &Flight,
    ) -> io::Result<Option<Self>> {
        let _held = self.plan.hold();
        let Self { client, mut server, .. } = self;
        drop(client);
        claim.struck();
        tokio::time::sleep(delay).await;
        server.send(&flight.bytes).await?;
        // Closing earlier would be fine with the server, but then nobody could wait until it has committed.
        while let Some(message) = server.message().await?
            && message.kind() != b'Z'
        {}
        Ok(None)
    }

    /// Has the server fail in the place of the client's flight.
    async fn fail(mut self, claim: Claim, state: &str) -> io::Result<Option<Self>> {
        let answer = self.exchange(raise(state).bytes()).await?;
        claim.struck();
        self.give(&answer).await
    }

    /// Has the server fail and roll back, as it does when COMMIT fails.
    async fn fail_commit(mut self, claim: Claim, state: &str) -> io::Result<Option<Self>> {
        let mut answer = self.exchange(raise(state).bytes()).await?;
        let rest = self.exchange(Message::query("rollback").bytes()).await?;
        // The client is ready once, in the end, and hasn't asked for a rollback.
        answer.retain(|message| message.kind() != b'Z');
        answer.extend(rest.into_iter().filter(|message| !matches!(message.kind(), b'C' | b'N')));
        claim.struck();
        self.give(&answer).await
    }

    /// Sends bytes to the server and collects its answer up to the message that it is ready.
    async fn exchange(&mut self, bytes: &[u8]) -> io::Result<Vec<Message>> {
        self.server.send(bytes).await?;
        let (mut answer, mut length) = (Vec::new(), 0);
        loop {
            let message = self.server.message().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.note(&message);
            length += message.bytes().len();
            if length > MESSAGE_MAX_BYTES {
                return Err(too_long());
            }
            let is_ready = message.kind() == b'Z';
            answer.push(message);
            if is_ready {
                return Ok(answer);
            }
        }
    }

    async fn give(mut self, answer: &[Message]) -> io::Result<Option<Self>> {
        let bytes: Vec<u8> = answer.iter().flat_map(|message| message.bytes()).copied().collect();
        self.client.send(&bytes).await?;
        Ok(Some(self))
    }
}

/// A statement that fails with `state`, which has been checked when the fault was armed.
fn raise(state: &str) -> Message {
    Message::query(&format!(
        "do $$ begin raise exception 'a fault of the test' using errcode = '{state}'; end $$"
    ))
}
