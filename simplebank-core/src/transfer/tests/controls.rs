//! The controls: banks with a seeded defect, each of which the witness must notice.

use proptest::test_runner::TestError;

use super::{
    histories::{Bank, REAL, fixed_runner, histories, run},
    *,
};
use crate::Hold;

type Defect = fn(&mut Book, &Order, OffsetDateTime) -> Answer;

/// Changes one account behind the decision's back.
fn meddle(book: &mut Book, id: AccountId, change: impl FnOnce(Account) -> Account) {
    if let Some(account) = book.account(id).cloned() {
        book.put_account(change(account));
    }
}

/// What the decision would say of other accounts than those that there are.
fn pretend(
    book: &mut Book,
    order: &Order,
    now: OffsetDateTime,
    lie: fn(Account) -> Account,
    undo: fn(&Account, Account) -> Account,
) -> Answer {
    let before = book.clone();
    for account in before.accounts() {
        book.put_account(lie(account.clone()));
    }
    let answer = decide_one(book, order, now);
    for account in before.accounts() {
        meddle(book, account.id, |after| undo(account, after));
    }
    answer
}

fn with(decide: fn(&mut Book, &[Order], OffsetDateTime) -> Vec<Answer>) -> Bank {
    Bank { decide, ..REAL }
}

/// Banks whose decision on each order has a defect.
macro_rules! each {
    ($defect:expr) => {
        with(|book, orders, now| {
            let defect: Defect = $defect;
            orders.iter().map(|order| defect(book, order, now)).collect()
        })
    };
}

fn defects_of_holds() -> Vec<(&'static str, Bank)> {
    vec![
        (
            "a capture that releases nothing",
            each!(|book, order, now| {
                let answer = decide_one(book, order, now);
                if let Ok(Effect::Captured { hold, .. }) = &answer {
                    meddle(book, hold.from_account_id, |it| it.hold(hold.amount).unwrap_or(it));
                }
                answer
            }),
        ),
        (
            "a hold that holds nothing",
            each!(|book, order, now| {
                let answer = decide_one(book, order, now);
                if let Ok(Effect::Held(hold)) = &answer {
                    meddle(book, hold.from_account_id, |it| it.release(hold.amount));
                }
                answer
            }),
        ),
        (
            "a hold that ends twice",
            each!(|book, order, now| {
                let answer = decide_one(book, order, now);
                if let Some(hold) = answer.as_ref().ok().and_then(Effect::hold) {
                    book.put_hold(hold.clone().as_placed());
                }
                answer
            }),
        ),
        (
            "a capture beyond the hold",
            each!(|book, order, now| {
                let mut order = order.clone();
                if let Action::Capture { hold, amount: Some(amount), .. } = &mut order.action
                    && let Some(hold) = book.hold(*hold)
                {
                    *amount = (*amount).min(hold.amount);
                }
                decide_one(book, &order, now)
            }),
        ),
        (
            "expiry that is late",
            Bank { expire_due: |book, now| book.expire_due(now - Duration::HOUR), ..REAL },
        ),
        (
            "expiry that releases nothing",
            Bank {
                expire_due: |book, now| {
                    let expired: Vec<Hold> = book.expire_due(now);
                    for hold in &expired {
                        meddle(book, hold.from_account_id, |it| it.hold(hold.amount).unwrap_or(it));
                    }
                    expired
                },
                ..REAL
            },
        ),
    ]
}

fn defects_of_limits() -> Vec<(&'static str, Bank)> {
    vec![
        (
            "nothing is counted",
            each!(|book, order, now| {
                let uncounted = |account| Account { spent: None, ..account };
                pretend(book, order, now, uncounted, |_, it| Account { spent: None, ..it })
            }),
        ),
        (
            "nothing is counted back",
            each!(|book, order, now| {
                let before = book.clone();
                let answer = decide_one(book, order, now);
                if let Ok(Effect::Voided(hold) | Effect::Captured { hold, .. }) = &answer {
                    let spent = before.account(hold.from_account_id).and_then(|it| it.spent);
                    meddle(book, hold.from_account_id, |it| Account { spent, ..it });
                }
                answer
            }),
        ),
        (
            "no limits",
            each!(|book, order, now| {
                let unlimited = |account| Account { limits: Limits::default(), ..account };
                pretend(book, order, now, unlimited, |was, it| Account { limits: was.limits, ..it })
            }),
        ),
    ]
}

fn defects_of_floors() -> Vec<(&'static str, Bank)> {
    vec![
        (
            "no floor",
            each!(|book, order, now| {
                let bottomless = |account| {
                    let overdraft_limit = OverdraftLimit::from_minor(i64::MAX).unwrap();
                    Account { overdraft_limit, ..account }
                };
                pretend(book, order, now, bottomless, |was, it| Account {
                    overdraft_limit: was.overdraft_limit,
                    ..it
                })
            }),
        ),
        (
            "held money is available",
            each!(|book, order, now| {
                let pays =
                    matches!(order.action, Action::Transfer { .. } | Action::Withdraw { .. });
                if !pays {
                    return decide_one(book, order, now);
                }
                let free = |account| Account { held: Balance::ZERO, ..account };
                pretend(book, order, now, free, |was, it| Account { held: was.held, ..it })
            }),
        ),
        (
            "a count that starts anew with every order",
            each!(|book, order, now| {
                let fresh = |account| Account { spent: None, ..account };
                pretend(book, order, now, fresh, |was, it| Account {
                    spent: it.spent.or(was.spent),
                    ..it
                })
            }),
        ),
        (
            "a count that starts anew when the clock goes back",
            each!(|book, order, now| {
                let before = book.clone();
                for account in before.accounts() {
                    let spent = account.spent.filter(|spent| spent.day <= now.date());
                    meddle(book, account.id, |it| Account { spent, ..it });
                }
                let answer = decide_one(book, order, now);
                if answer.is_err() {
                    *book = before;
                }
                answer
            }),
        ),
    ]
}

fn defects_of_reversals() -> Vec<(&'static str, Bank)> {
    vec![
        (
            "reversals that are forgotten",
            each!(|book, order, now| {
                let answer = decide_one(book, order, now);
                if let Ok(Effect::Reversed { posting, .. }) = &answer {
                    let id = posting.transfer().reverses_id.unwrap();
                    let transfer = book.transfer(id).unwrap().transfer.clone();
                    book.put_transfer(Reversible {
                        transfer,
                        reversals: 0,
                        reversed: Balance::ZERO,
                    });
                }
                answer
            }),
        ),
        (
            "reversals under one number",
            each!(|book, order, now| {
                let mut answer = decide_one(book, order, now);
                if let Ok(Effect::Reversed { reversal, .. }) = &mut answer {
                    reversal.number = 1;
                }
                answer
            }),
        ),
    ]
}

fn defects_of_refusals() -> Vec<(&'static str, Bank)> {
    vec![
        (
            "a refusal that leaves a trace",
            each!(|book, order, now| {
                let answer = decide_one(book, order, now);
                if answer.is_err() {
                    meddle(book, account_id(1), |it| Account { revision: it.revision + 1, ..it });
                }
                answer
            }),
        ),
        (
            "a refusal that spoils its neighbours",
            with(|book, orders, now| {
                let mut refused = None;
                orders
                    .iter()
                    .map(|order| match &refused {
                        Some(rejection) => Err(Rejection::clone(rejection)),
                        None => decide_one(book, order, now)
                            .inspect_err(|it| refused = Some(it.clone())),
                    })
                    .collect()
            }),
        ),
        (
            "anybody may do anything",
            each!(|book, order, now| {
                let order = Order { ordered_by: Principal::Operator, ..order.clone() };
                decide_one(book, &order, now)
            }),
        ),
    ]
}

fn defects_of_transfers() -> Vec<(&'static str, Bank)> {
    vec![
        (
            "money from nowhere",
            each!(|book, order, now| {
                let answer = decide_one(book, order, now);
                if let Some(posting) = answer.as_ref().ok().and_then(Effect::posting) {
                    let more = |it: &Account| it.balance.checked_add(Balance::from_minor(1));
                    let id = posting.transfer().to_account_id;
                    meddle(book, id, |it| Account {
                        balance: more(&it).unwrap_or(it.balance),
                        ..it
                    });
                }
                answer
            }),
        ),
        (
            "another reason",
            each!(|book, order, now| {
                decide_one(book, order, now).map_err(|rejection| {
                    let Rejection::InsufficientFunds { id } = rejection else { return rejection };
                    Rejection::BalanceOutOfRange { id }
                })
            }),
        ),
        (
            "a memo that is lost",
            each!(|book, order, now| {
                let mut answer = decide_one(book, order, now);
                if let Ok(Effect::Posted(posting)) = &mut answer {
                    posting.transfer.memo = Memo::NONE;
                }
                answer
            }),
        ),
        (
            "a frozen account that pays",
            each!(|book, order, now| {
                let thawed = |it: Account| it.clone().unfreeze().unwrap_or(it);
                pretend(book, order, now, thawed, |was, it| Account { status: was.status, ..it })
            }),
        ),
    ]
}

#[test]
fn each_seeded_defect_is_noticed() {
    assert!(fixed_runner(256).run(&histories(), |history| run(REAL, &history).map(|_| ())).is_ok());
    let defects = [
        defects_of_holds(),
        defects_of_limits(),
        defects_of_floors(),
        defects_of_reversals(),
        defects_of_refusals(),
        defects_of_transfers(),
    ];
    for (name, bank) in defects.into_iter().flatten() {
        let found =
            fixed_runner(1_000).run(&histories(), |history| run(bank, &history).map(|_| ()));
        assert!(matches!(found, Err(TestError::Fail(..))), "{name}: {found:?}");
    }
}
