//! The checker: reads only the database, as the owner of the tables and in plain SQL, and the clients' log.
//!
//! - I1 to I5 are statements that must find no row ([`RULES`]).
//! - I2, I6 and I7 compare every recorded answer and every transfer with the log.
//! - `Bank::verify`, which is the code under test, must agree.
//!
//! I1 and I8 are looked at by the reader, too, while the load runs; I7 by the clients.

use futures_util::TryStreamExt as _;
use uuid::Uuid;

use super::{Findings, Line, Told, What, World, client::with_causes, log::number_of};

/// Rows of a broken rule that are named.
const NAMED_MAX: i64 = 20;

/// The invariant, what a row of the answer is, and the statement that must find none.
const RULES: [(&str, &str, &str); 15] = [
    (
        "I1",
        "currency whose balances don't sum to zero",
        "select currency || ' ' || sum(balance) from simplebank.accounts group by currency having sum(balance) <> 0",
    ),
    (
        "I1",
        "currency whose entries don't sum to zero",
        "select a.currency || ' ' || sum(e.amount) from simplebank.entries e
         join simplebank.accounts a on a.id = e.account_id group by a.currency having sum(e.amount) <> 0",
    ),
    (
        "I3",
        "transfer without exactly its two entries",
        "select t.id::text from simplebank.transfers t
         left join simplebank.entries e on e.transfer_id = t.id
         group by t.id
         having count(e.transfer_id) <> 2
             or count(*) filter (where e.account_id = t.from_account_id and e.amount = -t.amount) <> 1
             or count(*) filter (where e.account_id = t.to_account_id and e.amount = t.amount) <> 1",
    ),
    (
        "I3",
        "transfer in another currency than its accounts",
        "select t.id::text from simplebank.transfers t
         left join simplebank.accounts f on f.id = t.from_account_id
         left join simplebank.accounts o on o.id = t.to_account_id
         where f.currency is distinct from t.currency or o.currency is distinct from t.currency",
    ),
    (
        "I3",
        "entry without its transfer or account",
        "select e.account_id || ' version ' || e.version from simplebank.entries e
         left join simplebank.transfers t on t.id = e.transfer_id
         left join simplebank.accounts a on a.id = e.account_id
         where t.id is null or a.id is null",
    ),
    (
        "I4",
        "entry that doesn't follow from the one before it",
        "select account_id || ' version ' || version from (
             select account_id, version, amount, balance_after,
                    lag(version, 1, 0::bigint) over chain as version_before,
                    lag(balance_after, 1, 0::bigint) over chain as balance_before
             from simplebank.entries
             window chain as (partition by account_id order by version)
         ) as e
         where version <> version_before + 1 or balance_after <> balance_before + amount",
    ),
    (
        "I4",
        "account that doesn't agree with its entries",
        "select a.id::text from simplebank.accounts a
         left join simplebank.entries e on e.account_id = a.id
         group by a.id
         having a.balance <> coalesce(sum(e.amount), 0)
             or a.version <> coalesce(max(e.version), 0)
             or a.version <> count(e.version)",
    ),
    (
        "I5",
        "entry below the limit of its account",
        "select e.account_id || ' version ' || e.version from simplebank.entries e
         join simplebank.accounts a on a.id = e.account_id
         where a.kind = 'customer' and e.balance_after < -a.overdraft_limit",
    ),
    (
        "I5",
        "account below its limit",
        "select id::text from simplebank.accounts where kind = 'customer' and balance - held < -overdraft_limit",
    ),
    (
        "I4",
        "account that holds something else than its open holds",
        "select a.id::text from simplebank.accounts a
         left join simplebank.holds h on h.from_account_id = a.id and h.state = 'open'
         group by a.id
         having a.held <> coalesce(sum(h.amount), 0)",
    ),
    (
        "I3",
        "hold whose capture is not its one transfer",
        "select h.id::text from simplebank.holds h
         left join simplebank.transfers t on t.hold_id = h.id
         group by h.id
         having count(t.id) <> case when h.state = 'captured' then 1 else 0 end
             or count(t.id) <> count(*) filter (
                 where t.id = h.captured_by and t.amount = h.captured_amount and t.amount <= h.amount
                     and (t.from_account_id, t.to_account_id, t.currency) = (h.from_account_id, h.to_account_id, h.currency)
             )",
    ),
    (
        "I3",
        "transfer that captures no hold",
        "select t.id::text from simplebank.transfers t
         left join simplebank.holds h on h.id = t.hold_id
         where (t.kind = 'capture') <> (h.id is not null)",
    ),
    (
        "I3",
        "transfer of which more was given back than it moved, or to somebody else",
        "select t.id::text from simplebank.transfers t
         join simplebank.transfers r on r.reverses_id = t.id
         group by t.id
         having sum(r.amount) > t.amount
             or bool_or((r.from_account_id, r.to_account_id, r.currency) <> (t.to_account_id, t.from_account_id, t.currency))",
    ),
    (
        "I2",
        "hold that no answer stands for, or more than its placing and its end",
        "select h.id::text from simplebank.holds h
         left join simplebank.idempotency i on i.hold_id = h.id
         group by h.id
         having count(i.key) <> case when h.state = 'voided' then 2 else 1 end",
    ),
    (
        "I2",
        "transfer that more than one answer, or none, stands for",
        "select t.id::text from simplebank.transfers t
         left join simplebank.idempotency i on i.transfer_id = t.id
         group by t.id
         having count(i.key) <> 1",
    ),
];

/// A recorded answer and its transfer; one of them may be missing.
#[derive(Debug, sqlx::FromRow)]
struct Recorded {
    key: String,
    owner_id: Uuid,
    rejection_code: Option<String>,
    transfer_id: Option<Uuid>,
    hold_id: Option<Uuid>,
    hold_state: Option<String>,
    kind: Option<String>,
    from_account_id: Option<Uuid>,
    to_account_id: Option<Uuid>,
    amount: Option<i64>,
    currency: Option<String>,
    created_by: Option<Uuid>,
    version: Option<i64>,
    balance_after: Option<i64>,
}

const RECORDED: &str = "
    select i.key, i.owner_id, i.rejection_code, i.transfer_id, i.hold_id, h.state as hold_state, t.kind,
           coalesce(t.from_account_id, h.from_account_id) as from_account_id,
           coalesce(t.to_account_id, h.to_account_id) as to_account_id,
           coalesce(t.amount, h.amount) as amount, coalesce(t.currency, h.currency) as currency,
           coalesce(t.created_by, h.created_by) as created_by, e.version, e.balance_after
    from simplebank.idempotency i
    left join simplebank.transfers t on t.id = i.transfer_id
    left join simplebank.holds h on h.id = i.hold_id
    left join simplebank.entries e on e.transfer_id = t.id
        and e.account_id = case t.kind when 'capture' then t.to_account_id else t.from_account_id end";

/// Compares the database with the log, and with itself.
pub(crate) async fn check(world: &World, lines: &[Line], findings: &mut Findings) {
    check_rules(world, findings).await;
    check_log(world, lines, findings).await;
    match world.bank().verify(|_| ()).await {
        Ok(report) => {
            if let Some(violation) = report.violation {
                findings.add("verify", format!("{violation:?}"));
            }
        }
        Err(error) => findings.add("verify", with_causes(&error)),
    }
}

async fn check_rules(world: &World, findings: &mut Findings) {
    for (invariant, what, sql) in RULES {
        let limited = sqlx::AssertSqlSafe(format!("{sql} limit {NAMED_MAX}"));
        match sqlx::query_scalar::<_, String>(limited).fetch_all(world.owner()).await {
            Ok(broken) => {
                for row in broken {
                    findings.add(invariant, format!("{what}: {row}"));
                }
            }
            // The server runs, so it is the tables that can't be read.
            Err(error) => findings.add(invariant, format!("not readable: {error}")),
        }
    }
}

async fn check_log(world: &World, lines: &[Line], findings: &mut Findings) {
    let mut is_recorded = vec![false; lines.len()];
    let mut deposits = 0;
    let mut rows = sqlx::query_as::<_, Recorded>(RECORDED).fetch(world.owner());
    while let Some(row) = rows.try_next().await.unwrap_or_else(|error| {
        findings.add("I2", format!("not readable: {error}"));
        None
    }) {
        let Some(number) = number_of(&row.key) else {
            deposits += 1;
            continue;
        };
        let (Some(line), Some(seen)) = (lines.get(number), is_recorded.get_mut(number)) else {
            findings.add("I2", format!("{}: nobody has asked for it", row.key));
            continue;
        };
        if *seen {
            findings.add("I2", format!("{}: answered twice", row.key));
        }
        *seen = true;
        check_row(line, &row, findings);
    }
    if deposits != world.customers().len() {
        findings.add("I2", format!("{deposits} deposits of {}", world.customers().len()));
    }
    for (number, line) in lines.iter().enumerate() {
        if is_recorded.get(number) == Some(&false) {
            check_absent(number, line, findings);
        }
    }
}

/// A recorded answer must be the one that the client was told, for what the client has asked.
fn check_row(line: &Line, row: &Recorded, findings: &mut Findings) {
    let key = &row.key;
    let is_posted = row.transfer_id.is_some() || row.hold_id.is_some();
    if row.owner_id != line.owner {
        findings.add("I2", format!("{key}: another's key"));
    }
    if is_posted && !is_as_asked(line, row) {
        findings.add("I2", format!("{key}: asked {line:?}, posted {row:?}"));
    }
    match line.told {
        Told::Nothing => {}
        Told::Acknowledged { transfer, version, balance_after } => {
            let told = (Some(transfer), Some(version), Some(balance_after));
            if told != (row.transfer_id, row.version, row.balance_after) {
                findings.add("I2", format!("{key}: told {:?}, recorded {row:?}", line.told));
            }
        }
        Told::Held { hold } => {
            if row.hold_id != Some(hold) {
                findings.add("I2", format!("{key}: told hold {hold}, recorded {row:?}"));
            }
        }
        Told::Refused(code) => {
            if row.rejection_code.as_deref() != Some(code) {
                findings.add("I7", format!("{key}: refused as {code}, recorded {row:?}"));
            }
        }
        Told::Failed(code) => {
            if is_posted {
                findings.add("I6", format!("{key}: failed as {code}, and was posted"));
            }
        }
    }
}

fn is_as_asked(line: &Line, row: &Recorded) -> bool {
    let kind = match line.what {
        What::Transfer => Some("transfer"),
        What::Capture => Some("capture"),
        What::Reversal => Some("reversal"),
        What::Hold | What::Void => None,
    };
    let is_of_caller = row.created_by == Some(line.owner);
    row.kind.as_deref() == kind
        && row.currency.as_deref() == Some("EUR")
        && match line.what {
            What::Transfer | What::Capture | What::Reversal => is_of_caller,
            What::Hold => is_of_caller && row.hold_id.is_some(),
            // Who lets go of a hold is not who placed it.
            What::Void => row.hold_state.as_deref() == Some("voided"),
        }
        && (row.from_account_id, row.to_account_id) == (Some(line.from), Some(line.to))
        && row.amount == Some(line.amount)
}

/// An answer that isn't recorded must not have been given.
fn check_absent(number: usize, line: &Line, findings: &mut Findings) {
    match line.told {
        Told::Nothing | Told::Failed(_) => {}
        Told::Acknowledged { transfer, .. } => {
            findings.add("I2", format!("line {number}: acknowledged as {transfer}, and lost"));
        }
        Told::Held { hold } => {
            findings.add("I2", format!("line {number}: acknowledged as hold {hold}, and lost"));
        }
        Told::Refused(code) => {
            findings.add("I7", format!("line {number}: refused as {code}, and forgotten"));
        }
    }
}
