//! Random histories: any actions by anybody, in slices, on a clock that moves on, mostly.

use proptest::{
    sample::Index,
    strategy::ValueTree,
    test_runner::{Config, TestCaseError, TestRng, TestRunner},
};

use super::{witness::Witness, *};
use crate::Hold;

/// The functions under test, so that a control can put a defect into one.
#[derive(Clone, Copy)]
pub(super) struct Bank {
    pub(super) decide: fn(&mut Book, &[Order], OffsetDateTime) -> Vec<Answer>,
    pub(super) expire_due: fn(&mut Book, OffsetDateTime) -> Vec<Hold>,
}

pub(super) const REAL: Bank = Bank { decide, expire_due: Book::expire_due };

#[derive(Clone, Debug)]
pub(super) struct History {
    book: Book,
    slices: Vec<Slice>,
}

#[derive(Clone, Debug)]
struct Slice {
    /// How much later it is than the slice before; less than nothing when the clock was put back.
    later: Duration,
    /// What the bank changes first.
    change: Option<(u8, Change)>,
    wishes: Vec<Wish>,
}

#[derive(Clone, Debug)]
enum Change {
    Freeze,
    Unfreeze,
    Limit(Limits),
}

/// An order before it is known which holds and transfers there will be.
#[derive(Clone, Debug)]
enum Wish {
    Move { what: What, from: u8, to: u8, amount: Amount, code: &'static str, memo: Memo, by: Asker },
    Capture { hold: Option<Index>, part: Part, by: Asker },
    Void { hold: Option<Index>, by: Asker },
    Reverse { transfer: Option<Index>, part: Part, memo: Memo, by: Asker },
}

#[derive(Clone, Copy, Debug)]
enum What {
    Transfer,
    Deposit,
    Withdraw,
    Hold(Lasting),
}

#[derive(Clone, Debug)]
enum Asker {
    Payer,
    Payee,
    Anybody(Principal),
}

/// How much of a hold or a transfer.
#[derive(Clone, Copy, Debug)]
enum Part {
    Unsaid,
    Whole,
    Half,
    OneMore,
    Exactly(Amount),
}

/// Mostly those who may, so that histories come to something.
fn askers_of(what: What) -> impl Strategy<Value = Asker> {
    let usual = match what {
        What::Transfer | What::Hold(_) => Asker::Payer,
        What::Deposit | What::Withdraw => Asker::Anybody(banker()),
    };
    prop_oneof![12 => Just(usual), 1 => Just(Asker::Payee), 3 => principals().prop_map(Asker::Anybody)]
}

fn askers() -> impl Strategy<Value = Asker> {
    prop_oneof![
        2 => Just(Asker::Payer),
        4 => Just(Asker::Payee),
        2 => principals().prop_map(Asker::Anybody),
    ]
}

fn sums() -> impl Strategy<Value = Amount> {
    prop_oneof![8 => (1_i64..600).prop_map(eur), 1 => amounts()]
}

/// One of those that there are by then, or one that there is not.
fn known() -> impl Strategy<Value = Option<Index>> {
    proptest::option::weighted(0.95, any::<Index>())
}

fn parts() -> impl Strategy<Value = Part> {
    prop_oneof![
        3 => Just(Part::Unsaid),
        2 => Just(Part::Whole),
        3 => Just(Part::Half),
        1 => Just(Part::OneMore),
        1 => amounts().prop_map(Part::Exactly),
    ]
}

fn memos() -> impl Strategy<Value = Memo> {
    let texts = || proptest::option::of(proptest::sample::select(vec!["rent", "a|b", "7"]));
    (texts(), texts()).prop_map(|(description, reference)| Memo {
        description: description.and_then(|text| text.parse().ok()),
        reference: reference.and_then(|text| text.parse().ok()),
    })
}

fn sides() -> impl Strategy<Value = (u8, u8)> {
    let different = (0_u8..4, 1_u8..4).prop_map(|(from, on)| (1 + from, 1 + (from + on) % 4));
    prop_oneof![12 => different, 1 => (0..=MISSING, 0..=MISSING)]
}

fn wishes() -> impl Strategy<Value = Wish> {
    let lasting = prop_oneof![2 => 1_u32..100, 1 => Just(7 * 86_400_u32), 1 => Just(31 * 86_400)];
    let what = prop_oneof![
        2 => Just(What::Transfer),
        2 => Just(What::Deposit),
        1 => Just(What::Withdraw),
        3 => lasting.prop_map(|lasting| What::Hold(seconds(lasting))),
    ];
    let codes = prop_oneof![19 => Just("EUR"), 1 => Just("JPY")];
    let moves = what.prop_flat_map(move |what| {
        (Just(what), sides(), sums(), codes.clone(), memos(), askers_of(what))
    });
    prop_oneof![
        5 => moves.prop_map(|(what, (from, to), amount, code, memo, by)| {
            let (from, to) = match what {
                What::Transfer | What::Hold(_) => (from, to),
                What::Deposit => (CASH, to),
                What::Withdraw => (from, CASH),
            };
            Wish::Move { what, from, to, amount, code, memo, by }
        }),
        2 => (known(), parts(), askers())
            .prop_map(|(hold, part, by)| Wish::Capture { hold, part, by }),
        1 => (known(), askers()).prop_map(|(hold, by)| Wish::Void { hold, by }),
        3 => (known(), parts(), memos(), askers())
            .prop_map(|(transfer, part, memo, by)| Wish::Reverse { transfer, part, memo, by }),
    ]
}

/// A wish, sometimes more than once.
fn repeated() -> impl Strategy<Value = Vec<Wish>> {
    (wishes(), prop_oneof![5 => Just(1_usize), 1 => 2..4_usize])
        .prop_map(|(wish, times)| vec![wish; times])
}

fn changes() -> impl Strategy<Value = Change> {
    let limit =
        || proptest::option::of(prop_oneof![5 => (1_i64..1_000).prop_map(eur), 1 => amounts()]);
    prop_oneof![
        1 => Just(Change::Freeze),
        2 => Just(Change::Unfreeze),
        3 => (limit(), limit())
            .prop_map(|(per_transfer, per_day)| Change::Limit(Limits { per_transfer, per_day })),
    ]
}

prop_compose! {
    fn slices()(
        later in prop_oneof![
            4 => Just(0_i64), 4 => 0..120_i64, 2 => 0..90_000_i64, 2 => 0..3_000_000_i64, 1 => -90_000..0_i64,
        ],
        change in proptest::option::of((0_u8..6, changes())),
        wishes in proptest::collection::vec(repeated(), 0..12),
    ) -> Slice {
        Slice { later: Duration::seconds(later), change, wishes: wishes.concat() }
    }
}

/// Money to begin with.
fn deposits() -> impl Strategy<Value = Slice> {
    let sum = prop_oneof![6 => (1_i64..5_000).prop_map(eur), 1 => amounts()];
    proptest::collection::vec((1_u8..=4, sum), 1..6).prop_map(|deposits| {
        let wishes = deposits.into_iter().map(|(to, amount)| Wish::Move {
            what: What::Deposit,
            from: CASH,
            to,
            amount,
            code: "EUR",
            memo: Memo::NONE,
            by: Asker::Anybody(banker()),
        });
        Slice { later: Duration::ZERO, change: None, wishes: wishes.collect() }
    })
}

prop_compose! {
    pub(super) fn histories()(
        book in ledgers(),
        reopened in proptest::bool::weighted(0.8),
        first in deposits(),
        slices in proptest::collection::vec(slices(), 1..8),
    ) -> History {
        let open = |account: &Account| Account { status: Status::Open, ..account.clone() };
        let book = if reopened { book.accounts().map(open).collect() } else { book };
        History { book, slices: std::iter::once(first).chain(slices).collect() }
    }
}

/// Proptest's runner, with the same cases every time.
pub(super) fn fixed_runner(cases: u32) -> TestRunner {
    let config =
        Config { cases, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, rng)
}

/// Runs the history, order by order, under the eyes of a witness, and each slice at once as well.
pub(super) fn run(bank: Bank, history: &History) -> Result<Witness, TestCaseError> {
    let mut book = history.book.clone();
    let mut witness = Witness::new(&book);
    let mut now = NOW;
    let mut orders_made = 0_u64;
    for slice in &history.slices {
        now += slice.later;
        apply(&mut book, slice.change.as_ref());
        witness.offer_reversals(&mut book);
        let before = book.clone();
        let expired = (bank.expire_due)(&mut book, now);
        witness.see_expired(&expired, &before, &book, now)?;
        let mut at_once = book.clone();
        let (mut orders, mut apart) = (Vec::new(), Vec::new());
        for wish in &slice.wishes {
            orders_made += 1;
            let order = order(wish, &witness, orders_made);
            let before = book.clone();
            let mut answers = (bank.decide)(&mut book, std::slice::from_ref(&order), now);
            prop_assert_eq!(answers.len(), 1);
            let answer = answers.pop().unwrap();
            witness.see(&order, &answer, &before, &book, now)?;
            orders.push(order);
            apart.push(answer);
        }
        prop_assert_eq!((bank.decide)(&mut at_once, &orders, now), apart);
        prop_assert_eq!(&at_once, &book);
    }
    witness.finish(&history.book, &book)?;
    Ok(witness)
}

fn apply(book: &mut Book, change: Option<&(u8, Change)>) {
    let Some((n, change)) = change else { return };
    let Some(account) = book.account(account_id(*n)).cloned() else { return };
    let changed = match change {
        Change::Freeze => account.freeze(),
        Change::Unfreeze => account.unfreeze(),
        Change::Limit(limits) => Ok(Account { limits: *limits, ..account }),
    };
    if let Ok(account) = changed {
        book.put_account(account);
    }
}

fn pick<'a, T>(
    mut all: impl ExactSizeIterator<Item = &'a T>,
    index: Option<Index>,
) -> Option<&'a T> {
    let index = index.filter(|_| all.len() > 0)?;
    all.nth(index.index(all.len()))
}

fn order(wish: &Wish, witness: &Witness, n: u64) -> Order {
    let id = transfer_id(n);
    let (by, sides, action) = match wish.clone() {
        Wish::Move { what, from, to, amount, code, memo, by } => {
            let sides = (account_id(from), account_id(to));
            let terms = Terms { currency: currency(code), memo, ..terms(from, to, amount) };
            let action = match what {
                What::Transfer => Action::Transfer { id, terms },
                What::Deposit => Action::Deposit { id, terms },
                What::Withdraw => Action::Withdraw { id, terms },
                What::Hold(lasting) => Action::Hold { id: hold_id(n), terms, lasting },
            };
            (by, Some(sides), action)
        }
        Wish::Capture { hold, part, by } => {
            let hold = pick(witness.holds(), hold);
            let amount = amount(part, hold.map(|hold| hold.amount));
            let sides = hold.map(|hold| (hold.from_account_id, hold.to_account_id));
            let hold = hold.map_or(hold_id(0), |hold| hold.id);
            (by, sides, Action::Capture { id, hold, amount })
        }
        Wish::Void { hold, by } => {
            let hold = pick(witness.holds(), hold);
            let sides = hold.map(|hold| (hold.from_account_id, hold.to_account_id));
            (by, sides, Action::Void { hold: hold.map_or(hold_id(0), |hold| hold.id) })
        }
        Wish::Reverse { transfer, part, memo, by } => {
            let transfer = pick(witness.reversible().iter(), transfer).map(Posting::transfer);
            let amount = amount(part, transfer.map(|transfer| transfer.amount));
            let sides = transfer.map(|it| (it.from_account_id, it.to_account_id));
            let transfer = transfer.map_or(transfer_id(0), |transfer| transfer.id);
            (by, sides, Action::Reverse { id, transfer, amount, memo })
        }
    };
    Order { ordered_by: asker(by, sides), action }
}

fn asker(by: Asker, sides: Option<(AccountId, AccountId)>) -> Principal {
    let owner = |id: AccountId| {
        (0..=MISSING).find(|n| account_id(*n) == id).map_or(Principal::Operator, customer)
    };
    match (by, sides) {
        (Asker::Anybody(principal), _) => principal,
        (Asker::Payer, Some((from, _))) => owner(from),
        (Asker::Payee, Some((_, to))) => owner(to),
        (Asker::Payer | Asker::Payee, None) => banker(),
    }
}

fn amount(part: Part, whole: Option<Amount>) -> Option<Amount> {
    let minor = whole.map_or(1, Amount::minor);
    match part {
        Part::Unsaid => None,
        Part::Whole => Some(eur(minor)),
        Part::Half => Some(eur((minor / 2).max(1))),
        Part::OneMore => Some(eur(minor.saturating_add(1))),
        Part::Exactly(amount) => Some(amount),
    }
}

proptest! {
    /// What is true of every history is told in `witness` and `objections`.
    #[test]
    fn every_history_is_what_its_witness_says(history in histories()) {
        run(REAL, &history)?;
    }
}

/// A random history that never comes to what matters would prove nothing.
#[test]
fn the_histories_reach_every_effect_and_every_refusal() {
    let mut runner = fixed_runner(400);
    let mut tally = std::collections::BTreeMap::<&str, u32>::new();
    for _ in 0..400 {
        let history = histories().new_tree(&mut runner).unwrap().current();
        for (what, times) in run(REAL, &history).unwrap().tally() {
            *tally.entry(*what).or_default() += times;
        }
    }
    let effects = [
        "transfer",
        "deposit",
        "withdrawal",
        "hold",
        "capture",
        "capture in part",
        "void",
        "expired",
        "reversal",
        "second reversal",
        "room made",
        "stopped count",
    ];
    let refusals = Rejection::CODES.iter().copied().filter(|code| {
        let subject = account_id(1).as_uuid();
        [None, Some(subject)].iter().any(|it| Rejection::of_order(code, *it).is_some())
    });
    for what in effects.into_iter().chain(refusals) {
        let times = tally.get(what).copied().unwrap_or_default();
        assert!(times >= 5, "{what}: {times} times, of {tally:?}");
    }
}
