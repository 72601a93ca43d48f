//! What the decision costs, without any database: slices of 1, 10, 100 and 1,000 orders over 100 accounts.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use simplebank::core::{
    Account, AccountId, Amount, Balance, Memo, Principal, Role, TransferId, UserId,
    account::{Limits, OverdraftLimit, Owner, Status},
    transfer::{Action, Book, Order, Terms, decide},
};
use time::macros::datetime;

const ACCOUNTS: u8 = 100;

fn account(n: u8) -> Account {
    Account {
        id: AccountId::from_parts(1, [n; 10]),
        owner: Owner::Customer {
            id: UserId::from_parts(2, [n; 10]),
            username: "customer".parse().expect("a username"),
        },
        currency: "EUR".parse().expect("a currency"),
        balance: Balance::from_minor(1_000_000),
        version: 1,
        revision: 1,
        held: Balance::ZERO,
        overdraft_limit: OverdraftLimit::NONE,
        limits: Limits::default(),
        spent: None,
        notice_from: None,
        status: Status::Open,
        created_at: datetime!(2026-01-01 00:00 UTC),
    }
}

fn order(n: u64) -> Order {
    let from = u8::try_from(n % u64::from(ACCOUNTS)).expect("below 100");
    let to = (from + 1) % ACCOUNTS;
    Order {
        ordered_by: Principal::User {
            id: UserId::from_parts(2, [from; 10]),
            username: "customer".parse().expect("a username"),
            role: Role::Depositor,
        },
        action: Action::Transfer {
            id: TransferId::from_parts(n, [0; 10]),
            terms: Terms {
                from_account_id: AccountId::from_parts(1, [from; 10]),
                to_account_id: AccountId::from_parts(1, [to; 10]),
                amount: Amount::MIN,
                currency: "EUR".parse().expect("a currency"),
                memo: Memo::NONE,
            },
        },
    }
}

fn decisions(criterion: &mut Criterion) {
    let book: Book = (0..ACCOUNTS).map(account).collect();
    let mut group = criterion.benchmark_group("decide");
    for size in [1, 10, 100, 1_000] {
        let orders: Vec<Order> = (0..size).map(order).collect();
        assert!(
            decide(&mut book.clone(), &orders, datetime!(2026-01-01 00:00 UTC))
                .iter()
                .all(Result::is_ok)
        );
        group.throughput(Throughput::Elements(size));
        group.bench_with_input(BenchmarkId::from_parameter(size), &orders, |bencher, orders| {
            bencher.iter_batched_ref(
                || book.clone(),
                |book| decide(book, black_box(orders), datetime!(2026-01-01 00:00 UTC)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
