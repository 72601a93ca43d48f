//! What a lane takes, whatever waits and whatever the others are working on.

use proptest::prelude::*;
use simplebank_core::{
    Amount, IdempotencyKey, Memo, Principal, TransferId,
    transfer::{Action, Terms},
};

use super::*;
use crate::road::{Mode, Wish};

fn account(number: u8) -> AccountId {
    AccountId::from_parts(0, [number; 10])
}

/// A job of one order between each pair of accounts.
fn job(number: usize, pairs: &[(u8, u8)]) -> (Job, super::Answered) {
    let wishes = pairs.iter().enumerate().map(|(place, (from, to))| {
        let terms = Terms {
            from_account_id: account(*from),
            to_account_id: account(*to),
            amount: Amount::from_minor(1).expect("one is positive"),
            currency: "EUR".parse().expect("a currency"),
            memo: Memo::NONE,
        };
        let id = TransferId::from_parts(1, [0; 10]);
        let key: IdempotencyKey = format!("{number}-{place}").parse().expect("a key");
        Wish::new(&Principal::Operator, key, Action::Transfer { id, terms })
    });
    let group = Group { wishes: wishes.collect(), mode: Mode::Independent };
    let (answer, answered) = oneshot::channel();
    (Job { group, since: Instant::now(), answer }, answered)
}

fn name(job: &Job) -> usize {
    let key = job.group.wishes.first().map(|wish| wish.key.as_str()).unwrap_or_default();
    key.split('-').next().and_then(|number| number.parse().ok()).expect("a number")
}

proptest! {
    #[test]
    fn a_batch_keeps_clear_of_other_lanes_and_of_who_came_before(
        jobs in prop::collection::vec(prop::collection::vec((0..12_u8, 0..12_u8), 1..4), 0..20),
        busy in prop::collection::hash_set(0..12_u8, 0..6),
        orders_min in 0..8_usize,
        orders_max in 1..12_usize,
    ) {
        let (jobs, _answered): (Vec<_>, Vec<_>) =
            jobs.iter().enumerate().map(|(number, pairs)| job(number, pairs)).unzip();
        let accounts: Vec<HashSet<AccountId>> =
            jobs.iter().map(|job| job.accounts().collect()).collect();
        let orders: Vec<usize> = jobs.iter().map(|job| job.group.wishes.len()).collect();
        let busy: HashSet<AccountId> = busy.into_iter().map(account).collect();
        let mut queue = Queue {
            orders: orders.iter().sum(),
            jobs: jobs.into(),
            busy: busy.clone(),
            ..Queue::default()
        };

        let batch: Vec<usize> =
            queue.take(orders_min, orders_max, Duration::from_secs(3_600)).iter().map(name).collect();
        let left: Vec<usize> = queue.jobs.iter().map(name).collect();

        // Everybody is in one of the two, in the order in which they came.
        prop_assert!(batch.is_sorted() && left.is_sorted());
        let mut all = [batch.clone(), left.clone()].concat();
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..accounts.len()));
        let taken: usize = batch.iter().map(|number| orders[*number]).sum();
        prop_assert_eq!(queue.orders + taken, orders.iter().sum::<usize>());
        // As many as there may be, or one that is larger by itself.
        prop_assert!(taken <= orders_max || batch.len() == 1);
        prop_assert!(batch.is_empty() || taken >= orders_min);
        for number in &batch {
            prop_assert!(accounts[*number].is_disjoint(&busy));
            let before = left.iter().filter(|other| *other < number);
            prop_assert!(before.clone().all(|other| accounts[*other].is_disjoint(&accounts[*number])));
        }
        // What it takes is busy from now on, and nothing else is.
        let own = batch.iter().flat_map(|number| &accounts[*number]).copied();
        prop_assert_eq!(&queue.busy, &busy.iter().copied().chain(own).collect());
        // Nobody waits who could have been taken: where nothing is asked, the oldest who is free is.
        let is_free = |number: usize| {
            let older = (0..number).all(|other| accounts[other].is_disjoint(&accounts[number]));
            older && accounts[number].is_disjoint(&busy)
        };
        let oldest = (0..accounts.len()).find(|number| is_free(*number));
        prop_assert!(orders_min > 0 || oldest == batch.first().copied());
    }
}
