//! Transfers, deposits and withdrawals.

use std::collections::BTreeMap;

use super::{audit::audit, *};

fn orders() -> impl Strategy<Value = Vec<Order>> {
    let kinds = proptest::sample::select(vec![Kind::Transfer, Kind::Deposit, Kind::Withdrawal]);
    let sides = (0..=MISSING, 0..=MISSING);
    let codes = prop_oneof![9 => Just("EUR"), 1 => Just("JPY")];
    let order = (kinds, sides, amounts(), codes, principals());
    proptest::collection::vec(order, 0..60).prop_map(|orders| {
        (0_u64..)
            .zip(orders)
            .map(|(n, (kind, (from, to), amount, code, ordered_by))| {
                // Half of what is drawn at random would be nonsense of one sort; give deposits and withdrawals their cash side.
                let id = transfer_id(n);
                let terms =
                    |from, to| Terms { currency: currency(code), ..terms(from, to, amount) };
                let action = match kind {
                    Kind::Deposit => Action::Deposit { id, terms: terms(CASH, to) },
                    Kind::Withdrawal => Action::Withdraw { id, terms: terms(from, CASH) },
                    Kind::Transfer | Kind::Capture | Kind::Reversal => {
                        Action::Transfer { id, terms: terms(from, to) }
                    }
                };
                Order { ordered_by, action }
            })
            .collect()
    })
}

fn postings(answers: &[Answer]) -> Vec<&Posting> {
    answers.iter().flatten().filter_map(Effect::posting).collect()
}

proptest! {
    #[test]
    fn money_is_conserved_and_no_account_falls_below_its_limit(before in ledgers(), orders in orders()) {
        let mut after = before.clone();
        let answers = decide(&mut after, &orders, NOW);
        prop_assert_eq!(answers.len(), orders.len());
        prop_assert_eq!(postings(&answers).len(), answers.iter().flatten().count());
        prop_assert_eq!(audit(&before, &after, &postings(&answers)), Ok(()));
    }

    #[test]
    fn replaying_the_entries_gives_the_same_state(before in ledgers(), orders in orders()) {
        let mut after = before.clone();
        let answers = decide(&mut after, &orders, NOW);
        let mut replayed: BTreeMap<_, _> = before.accounts().map(|account| (account.id, (account.version, account.balance))).collect();
        for entry in postings(&answers).into_iter().flat_map(Posting::entries) {
            let (version, balance) = replayed.get_mut(&entry.account_id).unwrap();
            *version += 1;
            *balance = balance.checked_add(entry.amount).unwrap();
            prop_assert_eq!((entry.version, entry.balance_after), (*version, *balance));
        }
        for account in after.accounts() {
            prop_assert_eq!(replayed.get(&account.id), Some(&(account.version, account.balance)));
        }
    }

    #[test]
    fn a_batch_is_its_members_one_after_the_other(before in ledgers(), orders in orders()) {
        let mut at_once = before.clone();
        let mut one_by_one = before;
        let together = decide(&mut at_once, &orders, NOW);
        let apart: Vec<_> = orders.iter().flat_map(|order| decide(&mut one_by_one, std::slice::from_ref(order), NOW)).collect();
        prop_assert_eq!(together, apart);
        prop_assert_eq!(at_once, one_by_one);
    }

    #[test]
    fn a_refused_order_changes_nothing(before in ledgers(), orders in orders()) {
        let mut book = before;
        for order in &orders {
            let kept = book.clone();
            let answer = decide(&mut book, std::slice::from_ref(order), NOW);
            if answer.iter().all(Result::is_err) {
                prop_assert_eq!(&book, &kept);
            }
        }
    }

    #[test]
    fn nobody_but_its_owner_or_the_operator_transfers_from_an_account(before in ledgers(), orders in orders()) {
        let answers = decide(&mut before.clone(), &orders, NOW);
        for (order, answer) in orders.iter().zip(answers) {
            if let (Action::Transfer { terms, .. }, Ok(_)) = (&order.action, answer) {
                let from = before.account(terms.from_account_id).unwrap();
                prop_assert!(order.ordered_by == Principal::Operator || from.is_owned_by(order.ordered_by.id()));
            }
        }
    }
}

#[test]
fn each_refusal_has_its_reason() {
    let alice = || customer(1);
    let not_found = |n| Rejection::AccountNotFound { id: account_id(n) };
    let in_yen = Rejection::CurrencyMismatch { id: account_id(YEN) };
    let cases = [
        (Kind::Transfer, 1, 1, alice(), Rejection::SameAccount),
        (Kind::Transfer, 1, MISSING, alice(), not_found(MISSING)),
        (Kind::Transfer, 2, 1, alice(), not_found(2)),
        (Kind::Transfer, 2, 1, user(1, Role::Banker), not_found(2)),
        (Kind::Transfer, 1, CASH, alice(), not_found(CASH)),
        (Kind::Transfer, CASH, 1, Principal::Operator, not_found(CASH)),
        (Kind::Deposit, CASH, 1, alice(), not_found(CASH)),
        (Kind::Withdrawal, 1, CASH, alice(), not_found(1)),
        (Kind::Transfer, 1, 2, alice(), Rejection::InsufficientFunds { id: account_id(1) }),
        (Kind::Transfer, 1, YEN, alice(), in_yen.clone()),
        (Kind::Transfer, YEN, 1, customer(YEN), in_yen),
    ];
    for (kind, from, to, by, reason) in cases {
        let answer = Example::new().pay(kind, from, to, 1, by.clone());
        assert_eq!(answer, Err(reason), "{kind} from {from} to {to} by {by:?}");
    }
}

#[test]
fn frozen_and_closed_accounts_neither_pay_nor_receive() {
    for (status, reason) in [
        (Status::Frozen, Rejection::AccountFrozen { id: account_id(1) }),
        (Status::Closed, Rejection::AccountClosed { id: account_id(1) }),
    ] {
        for (from, to) in [(1, 2), (2, 1)] {
            let mut bank = Example::new();
            bank.change(1, |_| account(1, status, 10));
            bank.change(2, |_| account(2, Status::Open, 10));
            let answer = bank.pay(Kind::Transfer, from, to, 1, Principal::Operator);
            assert_eq!(answer, Err(reason.clone()));
        }
    }
}

#[test]
fn an_overdraft_goes_to_its_limit_and_no_further() {
    let mut bank = Example::new();
    bank.change(1, |_| account(1, Status::Open, 100));
    let insufficient = Rejection::InsufficientFunds { id: account_id(1) };
    assert_eq!(bank.transfer(1, 2, 101), Err(insufficient.clone()));
    assert!(bank.transfer(1, 2, 100).is_ok());
    assert_eq!(bank.transfer(1, 2, 1), Err(insufficient));
}
