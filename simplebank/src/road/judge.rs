//! The judgement on a batch: pure, in memory, in order.
//!
//! An order whose key was used before is given the same answer, or refused if its content is another. The rest is judged by
//! `core::transfer::decide_one`, each on what the ones before it have left.

use std::collections::HashMap;

use simplebank_core::{
    Hold, UserId,
    transfer::{Book, Effect, decide_one},
};
use simplebank_db::idempotency::{Outcome, Record};
use time::OffsetDateTime;

use super::{Answer, Done, Group, GroupAnswer, Mode, Offender, Receipt, Refusal, Wish, shown_side};

/// What was answered under the keys of a batch before it.
#[derive(Debug, Default)]
pub(crate) struct Answered(HashMap<(UserId, String), ([u8; 32], Answer)>);

impl Answered {
    fn get(&self, wish: &Wish) -> Option<Answer> {
        if self.0.is_empty() {
            return None;
        }
        let (content_hash, answer) = self.0.get(&(wish.owner(), wish.key.as_str().to_owned()))?;
        Some(if *content_hash == wish.content_hash {
            answer.clone()
        } else {
            Err(Refusal::KeyReused)
        })
    }

    /// The answer to a whole group, if it is known.
    pub(super) fn group(&self, group: &Group) -> Option<GroupAnswer> {
        if let Some(offender) = self.offender(group) {
            return Some(Err(offender));
        }
        let answers: Option<Vec<Answer>> = group.wishes.iter().map(|wish| self.get(wish)).collect();
        answers.map(Ok)
    }

    /// The first of an atomic group that has been refused before.
    fn offender(&self, group: &Group) -> Option<Offender> {
        match group.mode {
            Mode::Independent => None,
            Mode::Atomic => group.wishes.iter().enumerate().find_map(|(index, wish)| {
                let refusal = self.get(wish)?.err()?;
                Some(Offender { index, refusal })
            }),
        }
    }

    /// Remembers what was answered to groups, as their records would.
    #[cfg(feature = "testing")]
    pub(crate) fn learn(&mut self, groups: &[Group], answers: &[GroupAnswer]) {
        for (group, answer) in groups.iter().zip(answers) {
            match answer {
                Ok(answers) => {
                    group.wishes.iter().zip(answers).for_each(|(wish, it)| self.keep(wish, it));
                }
                // Nothing of the others has happened.
                Err(Offender { index, refusal }) => {
                    let answer = Err(refusal.clone());
                    group.wishes.get(*index).into_iter().for_each(|wish| self.keep(wish, &answer));
                }
            }
        }
    }

    #[cfg(feature = "testing")]
    fn keep(&mut self, wish: &Wish, answer: &Answer) {
        if *answer != Err(Refusal::KeyReused) {
            let key = (wish.owner(), wish.key.as_str().to_owned());
            self.0.entry(key).or_insert_with(|| (wish.content_hash, answer.clone()));
        }
    }
}

impl FromIterator<((UserId, String), ([u8; 32], Answer))> for Answered {
    fn from_iter<I: IntoIterator<Item = ((UserId, String), ([u8; 32], Answer))>>(
        answers: I,
    ) -> Self {
        Self(answers.into_iter().collect())
    }
}

/// What is to be written, and what is to be answered then.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) book: Book,
    pub(crate) effects: Vec<Effect>,
    /// Holds that had ended by then.
    pub(crate) expired: Vec<Hold>,
    pub(crate) records: Vec<Record>,
    pub(crate) answers: Vec<GroupAnswer>,
}

/// Judges groups on `book`, from which holds whose time is over have been let go of, and on what was answered before.
pub(crate) fn judge(
    groups: &[Group],
    book: Book,
    answered: &Answered,
    now: OffsetDateTime,
) -> Judged {
    let judged = Judged {
        book,
        effects: Vec::new(),
        expired: Vec::new(),
        records: Vec::new(),
        answers: Vec::with_capacity(groups.len()),
    };
    let mut judge = Judge { judged, answered, fresh: HashMap::new(), now };
    for group in groups {
        let answer = match group.mode {
            Mode::Independent => Ok(group.wishes.iter().map(|wish| judge.wish(wish)).collect()),
            Mode::Atomic => judge.atomic(group),
        };
        judge.judged.answers.push(answer);
    }
    judge.judged
}

/// Judges one wish after the other.
struct Judge<'a> {
    judged: Judged,
    answered: &'a Answered,
    /// What this batch has answered, by key.
    fresh: HashMap<(UserId, &'a str), ([u8; 32], Answer)>,
    now: OffsetDateTime,
}

impl<'a> Judge<'a> {
    fn wish(&mut self, wish: &'a Wish) -> Answer {
        if let Some(answer) = self.answered.get(wish) {
            return answer;
        }
        let key = (wish.owner(), wish.key.as_str());
        if let Some((content_hash, answer)) = self.fresh.get(&key) {
            let is_same = *content_hash == wish.content_hash;
            return if is_same { answer.clone() } else { Err(Refusal::KeyReused) };
        }
        let decision = decide_one(&mut self.judged.book, &wish.order, self.now);
        let outcome = match &decision {
            Ok(effect) => outcome(effect),
            Err(rejection) => Outcome::Refused(rejection.clone()),
        };
        let (owner, key_text, content_hash) = (wish.owner(), wish.key.clone(), wish.content_hash);
        self.judged.records.push(Record { owner, key: key_text, content_hash, outcome });
        let answer = match decision {
            Err(rejection) => Err(Refusal::Rejected(rejection)),
            Ok(effect) => {
                let done = self.done(wish, &effect);
                self.judged.effects.push(effect);
                Ok(done)
            }
        };
        self.fresh.insert(key, (content_hash, answer.clone()));
        answer
    }

    fn done(&self, wish: &Wish, effect: &Effect) -> Done {
        match effect {
            Effect::Held(hold) | Effect::Voided(hold) => Done::Held(hold.clone()),
            Effect::Posted(posting)
            | Effect::Captured { posting, .. }
            | Effect::Reversed { posting, .. } => {
                let account = |id| self.judged.book.account(id);
                let owns = |id, user| account(id).is_some_and(|account| account.is_owned_by(user));
                let account = account(shown_side(posting, wish.owner(), owns));
                let account = account.expect("who takes part was in the book");
                Done::Moved(Box::new(Receipt::new(posting.clone(), account)))
            }
        }
    }

    /// All or none. Of a group that does not happen only the refusal of the offender is recorded, so that it stays the
    /// answer.
    fn atomic(&mut self, group: &'a Group) -> GroupAnswer {
        if let Some(offender) = self.answered.offender(group) {
            return Err(offender);
        }
        let (book, fresh) = (self.judged.book.clone(), self.fresh.clone());
        let (effects, records) = (self.judged.effects.len(), self.judged.records.len());
        let mut answers = Vec::with_capacity(group.wishes.len());
        for (index, wish) in group.wishes.iter().enumerate() {
            match self.wish(wish) {
                Ok(done) => answers.push(Ok(done)),
                Err(refusal) => {
                    let is_new = self.judged.records.len() > records
                        && self.judged.records.last().is_some_and(|record| record.key == wish.key);
                    // What stands there may be a neighbour's.
                    let record = if is_new { self.judged.records.pop() } else { None };
                    (self.judged.book, self.fresh) = (book, fresh);
                    self.judged.effects.truncate(effects);
                    self.judged.records.truncate(records);
                    if let (Some(record), Refusal::Rejected(_)) = (record, &refusal) {
                        let answer = Err(refusal.clone());
                        let key = (wish.owner(), wish.key.as_str());
                        self.fresh.insert(key, (wish.content_hash, answer));
                        self.judged.records.push(record);
                    }
                    return Err(Offender { index, refusal });
                }
            }
        }
        Ok(answers)
    }
}

fn outcome(effect: &Effect) -> Outcome {
    match effect {
        Effect::Posted(posting)
        | Effect::Captured { posting, .. }
        | Effect::Reversed { posting, .. } => Outcome::Posted(posting.transfer().id),
        Effect::Held(hold) | Effect::Voided(hold) => Outcome::Held(hold.id),
    }
}

#[cfg(test)]
mod tests {
    use simplebank_core::{
        Account, AccountId, Amount, Balance, Currency, Memo, Principal, Role, TransferId,
        account::{Limits, OverdraftLimit, Owner, Status},
        transfer::{Action, Terms},
    };

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn account(n: u8) -> Account {
        Account {
            id: AccountId::from_parts(1, [n; 10]),
            owner: Owner::Customer {
                id: UserId::from_parts(2, [n; 10]),
                username: "somebody".parse().unwrap(),
            },
            currency: euro(),
            balance: Balance::from_minor(100),
            version: 0,
            revision: 0,
            held: Balance::ZERO,
            overdraft_limit: OverdraftLimit::NONE,
            limits: Limits::default(),
            spent: None,
            notice_from: None,
            status: Status::Open,
            created_at: NOW,
        }
    }

    fn euro() -> Currency {
        "EUR".parse().unwrap()
    }

    /// Customer `n` pays the next one under a key.
    fn wish(n: u8, key: &str, minor: i64) -> Wish {
        let id = UserId::from_parts(2, [n; 10]);
        let by =
            Principal::User { id, username: "somebody".parse().unwrap(), role: Role::Depositor };
        let terms = Terms {
            from_account_id: AccountId::from_parts(1, [n; 10]),
            to_account_id: AccountId::from_parts(1, [n + 1; 10]),
            amount: Amount::from_minor(minor).unwrap(),
            currency: euro(),
            memo: Memo::NONE,
        };
        let id = TransferId::from_parts(3, [key.as_bytes()[0]; 10]);
        Wish::new(&by, key.parse().unwrap(), Action::Transfer { id, terms })
    }

    fn keys(groups: &[Group]) -> (Vec<String>, Judged) {
        let book: Book = (1..=4).map(account).collect();
        let judged = judge(groups, book, &Answered::default(), NOW);
        (judged.records.iter().map(|record| record.key.to_string()).collect(), judged)
    }

    fn atomic(wishes: Vec<Wish>) -> Group {
        Group { wishes, mode: Mode::Atomic }
    }

    #[test]
    fn an_atomic_group_that_is_refused_takes_no_record_of_its_neighbours() {
        // The first of the group has just been refused: under the same key, or because the key means something else.
        for again in [wish(1, "k", 101), wish(1, "k", 1)] {
            let groups = [
                Group::one(wish(2, "a", 10)),
                Group::one(wish(1, "k", 101)),
                Group::one(wish(3, "x", 10)),
                atomic(vec![again, wish(1, "y", 10)]),
            ];
            let (recorded, judged) = keys(&groups);
            assert_eq!(recorded, ["a", "k", "x"]);
            assert_eq!(judged.effects.len(), 2);
            assert!(matches!(judged.answers.last(), Some(Err(Offender { index: 0, .. }))));
        }
    }

    #[test]
    fn what_moves_is_recorded_whatever_comes_after_it() {
        let groups = [Group::one(wish(1, "a", 10)), atomic(vec![wish(1, "a", 20)])];
        let (recorded, judged) = keys(&groups);
        assert_eq!((recorded, judged.effects.len()), (vec!["a".to_owned()], 1));
    }

    #[test]
    fn of_an_atomic_group_that_is_refused_only_the_refusal_is_recorded() {
        let groups = [atomic(vec![wish(1, "a", 10), wish(2, "b", 1_000), wish(3, "c", 10)])];
        let (recorded, judged) = keys(&groups);
        assert_eq!((recorded, judged.effects.len()), (vec!["b".to_owned()], 0));
        assert_eq!(judged.book, (1..=4).map(account).collect());
    }
}
