//! Clients over HTTP that ask as fast as they are answered, or by a timetable.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};

use super::{Counts, Stage, lock};
use crate::{
    http::{self, Answer, Connection},
    load::{Line, Told, What, key_of},
    random::Random,
};

/// A client who waits for longer hangs up.
const PATIENCE: Duration = Duration::from_secs(1);
const CENTS: i64 = 1;
const SECOND: Duration = Duration::from_secs(1);

/// When clients ask.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// As soon as they are answered.
    AsAnswered,
    /// So many times a second, all of them together; who still waits misses a turn.
    PerSecond(u64),
}

/// Lets so many clients ask for so long, and counts what they were told.
pub(super) async fn ask(stage: &Arc<Stage>, clients: u64, pace: Pace, time: Duration) -> Counts {
    *lock(&stage.counts) = Counts::default();
    let ends_at = Instant::now() + time;
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let client = Client {
            stage: Arc::clone(stage),
            connection: Connection::new(stage.server.address()),
            random: Random::from_seed(stage.world.seed() ^ stage.log.acknowledged() ^ number << 32),
            ends_at,
        };
        match pace {
            Pace::AsAnswered => tasks.spawn(client.run()),
            Pace::PerSecond(rate) => {
                let turn = SECOND / u32::try_from(rate.max(1)).expect("a few thousand");
                let each = turn * u32::try_from(clients).expect("a thousand");
                let first = turn * u32::try_from(number).expect("a thousand");
                tasks.spawn(client.run_by_timetable(first, each))
            }
        };
    }
    tasks.join_all().await;
    *lock(&stage.counts)
}

struct Client {
    stage: Arc<Stage>,
    connection: Connection,
    random: Random,
    ends_at: Instant,
}

impl Client {
    async fn run(mut self) {
        while Instant::now() < self.ends_at {
            self.transfer().await;
        }
    }

    async fn run_by_timetable(mut self, first: Duration, each: Duration) {
        let mut turns = interval_at(Instant::now() + first, each);
        turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            turns.tick().await;
            if Instant::now() >= self.ends_at {
                return;
            }
            self.transfer().await;
        }
    }

    /// Asks for a transfer, and notes what is told in time.
    async fn transfer(&mut self) {
        let (number, request) = self.request();
        let answer = timeout(PATIENCE, self.connection.ask(&request)).await;
        let in_time = Instant::now() < self.ends_at;
        let mut counts = lock(&self.stage.counts);
        counts.asked += 1;
        match answer {
            Err(_) => counts.in_vain += 1,
            Ok(Some(answer)) if answer.status == 201 => {
                counts.done += u64::from(in_time);
                self.stage.acknowledge(number, &answer);
            }
            Ok(Some(answer)) => {
                counts.refused += 1;
                self.stage.check_refusal(number, &answer);
            }
            Ok(None) => self.stage.log.found("answers", "a connection broke"),
        }
    }

    /// A transfer and how it is asked for.
    fn request(&mut self) -> (usize, String) {
        let customers: Vec<_> =
            self.stage.world.customers().iter().zip(&self.stage.tokens).collect();
        let (from, token) = *self.random.pick(&customers);
        let to = loop {
            let (to, _) = *self.random.pick(&customers);
            if to.account != from.account {
                break to;
            }
        };
        let number = self.stage.log.ask(Line {
            what: What::Transfer,
            owner: from.principal.id().as_uuid(),
            from: from.account.as_uuid(),
            to: to.account.as_uuid(),
            amount: CENTS,
            told: Told::Nothing,
        });
        let body = http::transfer_body(from, to, CENTS);
        (number, http::post("/v1/transfers", token, &key_of(number), &body))
    }
}

impl Stage {
    fn acknowledge(&self, number: usize, answer: &Answer) {
        let receipt = serde_json::from_str(&answer.body).ok();
        match receipt.as_ref().and_then(http::acknowledged) {
            Some(told) => self.log.tell(number, told),
            None => self.log.found("answers", format!("{answer:?}")),
        }
    }

    /// Who is refused is told so in the right way, and it must not happen later.
    fn check_refusal(&self, number: usize, answer: &Answer) {
        let is_overloaded = answer.status == 503 && answer.body.contains(r#""code":"overloaded""#);
        let retry_after = answer.header("retry-after").map(str::parse::<u32>);
        if is_overloaded && matches!(retry_after, Some(Ok(_))) {
            self.log.tell(number, Told::Failed("overloaded"));
        } else {
            self.log.found("refusals", format!("{answer:?}"));
        }
    }
}
