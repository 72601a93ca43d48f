//! What an account held, and what happened to it in a period.

use simplebank::{
    Error, Page, PageLimit, Reverse, Statement, StatementPage, StatementPlace, Transfer,
    core::{AccountId, Instant, Memo, Principal, statement::Line, transfer::Kind},
    csv,
    ports::Clock as _,
};
use time::{Duration, OffsetDateTime};

use crate::{Customer, TestBank, code, deposit, key, transfer, withdrawal};

fn page<C>(cursor: Option<C>, limit: u8) -> Page<C> {
    Page { cursor, limit: PageLimit::new(limit).unwrap() }
}

fn at(time: OffsetDateTime) -> Instant {
    Instant::new(time).unwrap()
}

fn period(from: OffsetDateTime, to: OffsetDateTime) -> Statement {
    Statement { from: Some(at(from)), to: Some(at(to)) }
}

/// The one field that an answer complains about.
fn field<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    let Err(Error::Invalid { fields }) = answer else { panic!("{answer:?}") };
    let [field] = fields.as_slice() else { panic!("{fields:?}") };
    field.field.clone()
}

impl TestBank {
    async fn balance_at(&self, account: AccountId, time: OffsetDateTime) -> i64 {
        let found = self.bank.balance_at(&Principal::Operator, account, at(time)).await.unwrap();
        found.balance.minor()
    }

    /// All pages of a statement.
    async fn pages(&self, of: AccountId, period: Statement, limit: u8) -> Vec<StatementPage> {
        let (mut pages, mut cursor) = (Vec::new(), None);
        loop {
            let page = page(cursor, limit);
            let found = self.bank.statement(&Principal::Operator, of, period, page).await.unwrap();
            cursor = found.lines.next;
            pages.push(found);
            if cursor.is_none() {
                return pages;
            }
        }
    }

    /// A statement, which must be whole whatever the size of its pages: opening balance, lines, closing balance.
    async fn whole(&self, of: AccountId, period: Statement) -> (i64, Vec<Line>, i64) {
        let [all] = <[_; 1]>::try_from(self.pages(of, period, 100).await).unwrap();
        let (opening, closing) = (all.opening_balance.minor(), all.closing_balance.minor());
        let mut balance = opening;
        for line in &all.lines.items {
            balance += line.entry.amount.minor();
            assert_eq!(line.entry.balance_after.minor(), balance, "{line:?}");
        }
        assert_eq!(balance, closing, "{all:?}");
        for limit in [1, 3, 7] {
            let pages = self.pages(of, period, limit).await;
            let firsts: Vec<bool> = pages.iter().map(|page| page.is_first).collect();
            assert!(firsts.iter().enumerate().all(|(n, is_first)| *is_first == (n == 0)));
            for page in &pages {
                let ends = (page.opening_balance.minor(), page.closing_balance.minor());
                assert_eq!(ends, (opening, closing), "the whole statement's, on each page");
            }
            let lines: Vec<Line> = pages.into_iter().flat_map(|page| page.lines.items).collect();
            assert_eq!(lines, all.lines.items, "limit {limit}");
        }
        (opening, all.lines.items, closing)
    }

    /// Twenty deposits and withdrawals, between which the clock moves as it is told.
    async fn history(&self, customer: &Customer, steps: impl IntoIterator<Item = i64>) {
        for (number, step) in steps.into_iter().enumerate() {
            self.clock.advance(Duration::seconds(step));
            let (name, minor) = (format!("h{number}"), i64::try_from(number).unwrap() + 1);
            let by = Principal::Operator;
            if number % 3 == 2 {
                self.bank.withdraw(&by, key(&name), withdrawal(customer.account, minor)).await
            } else {
                self.bank.deposit(&by, key(&name), deposit(customer.account, minor)).await
            }
            .unwrap();
        }
    }
}

#[tokio::test]
async fn a_balance_is_that_of_its_moment() {
    let bank = TestBank::new().await;
    let opened = bank.clock.now();
    let alice = bank.customer("alice", 0).await;
    bank.history(&alice, [10, 10, 10]).await; // +1, +2, -3
    for (seconds, balance) in
        [(0, 0), (9, 0), (10, 1), (19, 1), (20, 3), (29, 3), (30, 0), (31, 0), (1_000_000, 0)]
    {
        let time = opened + Duration::seconds(seconds);
        assert_eq!(bank.balance_at(alice.account, time).await, balance, "{seconds}");
    }
    let moment = at(opened + Duration::seconds(20));
    let found = bank.bank.balance_at(&alice.principal, alice.account, moment).await.unwrap();
    assert_eq!((found.at, found.version, found.account.version), (moment, 2, 3));
    for extreme in ["9999-12-31T23:59:59.999999Z", "2026-01-01T12:00:30.0000001Z"] {
        let balance = bank.balance_at(alice.account, extreme.parse::<Instant>().unwrap().time());
        assert_eq!(balance.await, 0);
    }
}

#[tokio::test]
async fn before_an_account_was_opened_it_has_no_balance_and_no_statement() {
    let bank = TestBank::new().await;
    let opened = bank.clock.now();
    let alice = bank.customer("alice", 5).await;
    let (by, account) = (&alice.principal, alice.account);
    for early in [opened - Duration::MICROSECOND, "0001-01-01".parse::<Instant>().unwrap().time()] {
        assert_eq!(field(bank.bank.balance_at(by, account, at(early)).await), "at");
        let of = Statement { from: None, to: Some(at(early)) };
        assert_eq!(field(bank.bank.statement(by, account, of, page(None, 9)).await), "to");
    }
    let told = bank.bank.balance_at(by, account, at(opened - Duration::SECOND)).await.unwrap_err();
    assert!(told.to_string().contains("opened, at 2026-01-01T12:00:00Z"), "{told}");
    // The month in which it was opened has a statement.
    let month = period(opened - Duration::days(20), opened + Duration::days(11));
    let (opening, lines, closing) = bank.whole(account, month).await;
    assert_eq!((opening, lines.len(), closing), (0, 1, 5));
}

#[tokio::test]
async fn a_period_ends_after_it_begins() {
    let bank = TestBank::new().await;
    let now = bank.clock.now();
    let alice = bank.customer("alice", 5).await;
    for (from, to) in [(now, now), (now + Duration::DAY, now + Duration::HOUR)] {
        let answer =
            bank.bank.statement(&alice.principal, alice.account, period(from, to), page(None, 9));
        assert_eq!(field(answer.await), "to");
    }
}

#[tokio::test]
async fn others_learn_nothing() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 5).await, bank.customer("bob", 5).await);
    let (by, account, now) = (&bob.principal, alice.account, at(bank.clock.now()));
    let answer = bank.bank.statement(by, account, Statement::default(), page(None, 9)).await;
    assert_eq!(code(answer), "account_not_found");
    assert_eq!(code(bank.bank.balance_at(by, account, now).await), "account_not_found");
    // Not even when it was opened.
    let early = at(bank.clock.now() - Duration::DAY);
    assert_eq!(code(bank.bank.balance_at(by, account, early).await), "account_not_found");
    let reference = "r".parse().unwrap();
    let answer = bank.bank.transfers_by_reference(by, account, &reference, page(None, 9)).await;
    assert_eq!(code(answer), "account_not_found");
}

/// Whatever the clocks do, a statement adds up, and periods that adjoin share nothing and leave nothing out.
#[tokio::test]
async fn statements_add_up_and_join() {
    let rising = [7; 20];
    let standing_still = [0; 20];
    let jumping = std::array::from_fn(|n| if n % 4 == 3 { -3_600 } else { 1_250 });
    let falling = [-60; 20];
    for steps in [rising, standing_still, jumping, falling] {
        let bank = TestBank::new().await;
        let opened = bank.clock.now();
        let alice = bank.customer("alice", 100).await;
        bank.history(&alice, steps).await;
        let (opening, all, closing) = bank.whole(alice.account, Statement::default()).await;
        assert_eq!((opening, all.len()), (0, 21));
        assert_eq!(closing, bank.state(alice.account).await.0);
        let cuts: Vec<_> = (1..=24).map(|n| opened + Duration::seconds(n * 700)).collect();
        for pair in cuts.windows(2) {
            let [first, second] = pair else { unreachable!("windows of two") };
            let from_start = Statement { from: None, to: Some(at(*first)) };
            let to_end = Statement { from: Some(at(*second)), to: None };
            let mut joined = Vec::new();
            let mut balance = 0;
            for part in [from_start, period(*first, *second), to_end] {
                let (opening, lines, closing) = bank.whole(alice.account, part).await;
                assert_eq!(opening, balance, "{steps:?} {part:?}");
                balance = closing;
                joined.extend(lines);
            }
            assert_eq!(joined, all, "{steps:?} {pair:?}");
            let before = bank.balance_at(alice.account, *first - Duration::MICROSECOND).await;
            let (opening, ..) = bank.whole(alice.account, period(*first, *second)).await;
            assert_eq!(before, opening, "a balance and an opening balance are one");
        }
    }
}

#[tokio::test]
async fn what_is_posted_meanwhile_is_on_no_later_page() {
    let bank = TestBank::new().await;
    let alice = bank.customer("alice", 100).await;
    bank.history(&alice, [1, 1, 1]).await;
    let (by, account) = (&alice.principal, alice.account);
    let open_ended = Statement { from: None, to: Some("9999-12-31".parse().unwrap()) };
    for period in [Statement::default(), open_ended] {
        let first = bank.bank.statement(by, account, period, page(None, 2)).await.unwrap();
        let name = key(&format!("late-{}", period.to.is_some()));
        bank.bank.deposit(&Principal::Operator, name, deposit(account, 50)).await.unwrap();
        let cursor = first.lines.next;
        let second = bank.bank.statement(by, account, period, page(cursor, 100)).await.unwrap();
        assert_eq!(second.closing_balance, first.closing_balance);
        let last = second.lines.items.last().unwrap();
        assert_eq!(last.entry.balance_after, second.closing_balance);
        assert_eq!(second.lines.next, None);
    }
}

#[tokio::test]
async fn a_place_outside_of_the_statement_is_refused() {
    let bank = TestBank::new().await;
    let alice = bank.customer("alice", 100).await;
    let opened = bank.clock.now();
    bank.history(&alice, [10, 10, 10]).await;
    let period = period(opened + Duration::seconds(5), opened + Duration::DAY);
    for (after, through) in [(0, 4), (4, 3), (1, 5), (1, i64::MAX), (i64::MIN, 0), (0, 0)] {
        let cursor = Some(StatementPlace { after, through });
        let answer = bank.bank.statement(&alice.principal, alice.account, period, page(cursor, 9));
        assert_eq!(field(answer.await), "cursor", "{after} {through}");
    }
    let end = Some(StatementPlace { after: 4, through: 4 });
    let answer = bank.bank.statement(&alice.principal, alice.account, period, page(end, 9)).await;
    assert_eq!(answer.unwrap().lines.items, []);
}

fn memo(description: &str, reference: &str) -> Memo {
    Memo {
        description: Some(description.parse().unwrap()),
        reference: Some(reference.parse().unwrap()),
    }
}

#[tokio::test]
async fn a_line_tells_what_it_was_and_with_whom() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 100).await, bank.customer("bob", 0).await);
    let rent = Transfer { memo: memo("rent", "R-1"), ..transfer(alice.account, bob.account, 30) };
    let paid = bank.bank.transfer(&alice.principal, key("rent"), rent).await.unwrap();
    let transfer_id = paid.posting.transfer().id;
    let back = Reverse { transfer_id, amount: None, memo: memo("sorry", "R-2") };
    bank.bank.reverse(&Principal::Operator, key("back"), back).await.unwrap();

    let (_, hers, _) = bank.whole(alice.account, Statement::default()).await;
    let (_, his, _) = bank.whole(bob.account, Statement::default()).await;
    let kinds: Vec<Kind> = hers.iter().map(|line| line.transfer.kind).collect();
    assert_eq!(kinds, [Kind::Deposit, Kind::Transfer, Kind::Reversal]);
    let [hers, his] = [&hers[1..], &his[..]];
    assert!(hers.iter().all(|line| line.counterparty() == bob.account));
    assert!(his.iter().all(|line| line.counterparty() == alice.account));
    for lines in [hers, his] {
        let memos: Vec<&Memo> = lines.iter().map(|line| &line.transfer.memo).collect();
        assert_eq!(memos, [&memo("rent", "R-1"), &memo("sorry", "R-2")]);
        assert_eq!(lines[1].transfer.reverses_id, Some(transfer_id));
    }
}

#[tokio::test]
async fn transfers_are_found_by_their_reference_on_either_side() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 1000).await, bank.customer("bob", 1000).await);
    for number in 0..30_u8 {
        let (payer, payee) = if number % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
        let memo = match number % 3 {
            0 => memo("a", "INV-1"),
            1 => memo("INV-1", "inv-1"),
            _ => Memo::NONE,
        };
        let minor = i64::from(number) + 1;
        let command = Transfer { memo, ..transfer(payer.account, payee.account, minor) };
        bank.bank.transfer(&payer.principal, key(&format!("k{number}")), command).await.unwrap();
    }
    for limit in [1, 3, 10, 100] {
        let (mut found, mut cursor, reference) = (Vec::new(), None, "INV-1".parse().unwrap());
        loop {
            let page = page(cursor, limit);
            let (by, account) = (&alice.principal, alice.account);
            let listing =
                bank.bank.transfers_by_reference(by, account, &reference, page).await.unwrap();
            found.extend(listing.items.iter().map(|transfer| transfer.amount.minor()));
            cursor = listing.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, [28, 25, 22, 19, 16, 13, 10, 7, 4, 1], "limit {limit}");
    }
    let none = "INV".parse().unwrap();
    let nothing =
        bank.bank.transfers_by_reference(&bob.principal, bob.account, &none, page(None, 9)).await;
    assert_eq!(nothing.unwrap().items, [], "a part of a reference is none");
}

#[tokio::test]
async fn the_pages_of_a_statement_are_one_csv_file() {
    let bank = TestBank::new().await;
    let (alice, bob) = (bank.customer("alice", 1000).await, bank.customer("bob", 0).await);
    let texts = ["=1+1", "a, b", "say \"hi\"", "-5", "Miete \u{20ac}", "@x"];
    for (number, text) in texts.iter().enumerate() {
        let memo = memo(text, "+ref");
        let command = Transfer { memo, ..transfer(alice.account, bob.account, 1) };
        bank.bank.transfer(&alice.principal, key(&number.to_string()), command).await.unwrap();
    }
    let period = Statement { from: None, to: Some("2030-01-01".parse().unwrap()) };
    let pages = bank.pages(alice.account, period, 3).await;
    let text: Vec<u8> = pages.iter().flat_map(csv::statement).collect();
    let [whole] = <[_; 1]>::try_from(bank.pages(alice.account, period, 100).await).unwrap();
    assert_eq!(text, csv::statement(&whole));

    let mut reader = ::csv::Reader::from_reader(text.as_slice());
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), csv::STATEMENT_COLUMNS);
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let column = |number: usize| -> Vec<&str> { rows.iter().map(|row| &row[number]).collect() };
    let descriptions = ["", "", "'=1+1", "a, b", "say \"hi\"", "'-5", "Miete \u{20ac}", "'@x", ""];
    assert_eq!(column(8), descriptions);
    assert_eq!(column(9)[2..8], ["'+ref"; 6]);
    assert_eq!(column(2)[0], "opening_balance");
    assert_eq!((column(2)[8], column(1)[8]), ("closing_balance", "2030-01-01T00:00:00Z"));
    assert_eq!(column(3), ["", "10.00", "-0.01", "-0.01", "-0.01", "-0.01", "-0.01", "-0.01", ""]);
    assert_eq!((column(4)[0], column(4)[8]), ("0.00", "9.94"));
    assert_eq!(column(6)[2], bob.account.to_string());
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.matches("\r\n").count(), text.matches('\n').count());
}
