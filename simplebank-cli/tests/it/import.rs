//! `simplebank import`.

use std::{
    fmt::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Answer, Bank, answer, answer_to, assert_has, fields};

/// A bank with money, and a directory for files.
struct World {
    bank: Bank,
    alice: String,
    bob: String,
    files: TempDir,
}

impl World {
    async fn new() -> Self {
        let (bank, alice, bob) = Bank::with_two_accounts().await;
        bank.json(&["deposit", &alice, "1000", "EUR"]);
        Self { bank, alice, bob, files: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn command(&self, file: &PathBuf, options: &[&str]) -> Command {
        let mut command = self.bank.command(&["import"]);
        command.arg(file).args(options);
        command
    }

    fn import(&self, file: &PathBuf, options: &[&str]) -> Answer {
        answer(&mut self.command(file, options))
    }

    /// A file that pays Bob so many cents, each in a row of its own.
    fn cents(&self, rows: usize) -> String {
        let mut text = "from,to,amount,currency\n".to_owned();
        for _ in 0..rows {
            writeln!(text, "{},{},0.01,EUR", self.alice, self.bob).unwrap();
        }
        text
    }

    async fn count(&self) -> i64 {
        let owner = self.bank.owner().await;
        let sql = "select count(*) from simplebank.transfers where kind = 'transfer'";
        let count = sqlx::query_scalar(sql).fetch_one(&owner).await.unwrap();
        owner.close().await;
        count
    }
}

/// What is told of each row on stderr.
fn rows(answer: &Answer) -> Vec<Value> {
    let lines = answer.stderr.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter(|line: &Value| !line["row"].is_null()).collect()
}

fn counts(report: &Value) -> [u64; 5] {
    ["rows", "accepted", "repeated", "malformed", "not_done"]
        .map(|name| report[name].as_u64().unwrap())
}

/// A file with good rows and each sort of bad ones.
fn mixed(world: &World) -> PathBuf {
    let World { alice, bob, .. } = world;
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    let text = format!(
        "\u{feff}to,from,currency,amount,reference,description,key\r\n\
         {bob},{alice},EUR,1,R-1,\"Hello, \"\"Bob\"\"\",mine\r\n\
         \r\n\
         {bob},{alice},EUR,1.001,,,\r\n\
         {bob},{alice},EUR,2,,,\n\
         {bob},x,euro,2,a b,,\n\
         {bob},{alice},EUR,2\n\
         {bob},{alice},EUR,2,,\"open,\n\
         {bob},{alice},EUR,99999,,,\n\
         {nobody},{alice},EUR,1,,,\n\
         {bob},{alice},EUR,3,,,mine\n\
         {bob},{alice},EUR,4,,,"
    );
    let mut bytes = text.into_bytes();
    bytes.extend(b"\n\xff\n");
    world.file("payments.csv", bytes)
}

#[tokio::test]
async fn good_rows_happen_once_and_bad_ones_are_told_by_row_and_field() {
    let world = World::new().await;
    let World { bob, .. } = &world;
    let file = mixed(&world);
    let first = world.import(&file, &["--json"]);
    assert_eq!(first.code, 1, "{first:?}");
    let report = first.json();
    assert_eq!(
        fields(&report),
        ["accepted", "malformed", "not_done", "refused", "repeated", "rows"]
    );
    assert_eq!(counts(&report), [11, 3, 0, 5, 0]);
    let refused =
        json!({"account_not_found": 1, "idempotency_key_reused": 1, "insufficient_funds": 1});
    assert_eq!(report["refused"], refused);
    let told: Vec<_> = rows(&first)
        .iter()
        .map(|row| {
            (
                row["row"].as_u64().unwrap(),
                row["code"].as_str().unwrap().to_owned(),
                row["field"].clone(),
            )
        })
        .collect();
    let bad = |row, field: Value| (row, "invalid_input".to_owned(), field);
    for expected in [
        bad(4, json!("amount")),
        bad(6, json!("from")),
        bad(6, json!("currency")),
        bad(6, json!("reference")),
        bad(7, Value::Null),
        bad(8, Value::Null),
        bad(13, Value::Null),
        (9, "insufficient_funds".to_owned(), Value::Null),
        (10, "account_not_found".to_owned(), Value::Null),
        (11, "idempotency_key_reused".to_owned(), Value::Null),
    ] {
        assert!(told.contains(&expected), "{expected:?} in {told:?}");
    }
    assert_eq!(told.len(), 10, "{told:?}");
    let prefix: Value = serde_json::from_str(first.stderr.lines().next().unwrap()).unwrap();
    let prefix = prefix["key_prefix"].as_str().unwrap().to_owned();
    assert_eq!(prefix.len(), 32);
    assert_has(&first.stderr, &[&format!("\"idempotency_key\":\"{prefix}-9\""), "--key-prefix"]);
    assert_eq!(world.bank.balance(bob), "7.00");
    let newest = &world.bank.json(&["transfers", bob])["items"];
    assert_eq!([&newest[2]["description"], &newest[2]["reference"]], ["Hello, \"Bob\"", "R-1"]);

    // Again: nothing new.
    let before = world.bank.everything().await;
    let second = world.import(&file, &["--json"]);
    assert_eq!((second.code, counts(&second.json())), (1, [11, 0, 3, 5, 0]));
    assert_eq!(second.json()["refused"], refused);
    assert_eq!(world.bank.everything().await, before);

    // For people.
    let text = world.import(&file, &[]);
    assert_has(&text.stdout, &["rows", "11", "repeated", "3", "1 insufficient_funds"]);
    assert_has(&text.stderr, &["row 4: invalid_input: amount must have at most 2", "hint: "]);
    world.bank.run(&["verify"]).ok();
}

#[tokio::test]
async fn a_corrected_file_with_the_first_prefix_repeats_nothing() {
    let world = World::new().await;
    let World { alice, bob, .. } = &world;
    let text = |amount: &str| {
        format!(
            "from,to,amount,currency\n{alice},{bob},1,EUR\n{alice},{bob},{amount},EUR\n{alice},{bob},4,EUR\n"
        )
    };
    let file = world.file("a.csv", text("two"));
    let first = world.import(&file, &["--json"]);
    assert_eq!((first.code, counts(&first.json())), (1, [3, 2, 0, 1, 0]));
    let told: Value = serde_json::from_str(first.stderr.lines().next().unwrap()).unwrap();
    let file = world.file("a.csv", text("2"));
    let second =
        world.import(&file, &["--json", "--key-prefix", told["key_prefix"].as_str().unwrap()]);
    assert_eq!((second.code, counts(&second.json())), (0, [3, 1, 2, 0, 0]));
    assert_eq!(world.bank.balance(bob), "7.00");
}

#[tokio::test]
async fn json_lines_come_from_a_file_or_from_standard_input() {
    let world = World::new().await;
    let World { alice, bob, .. } = &world;
    let row = |more: Value| {
        let mut row = json!({"from": alice, "to": bob, "amount": "1", "currency": "EUR"});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row.to_string()
    };
    let twice = row(json!({"key": "k"})).replacen('{', "{\"key\": \"j\",", 1);
    let text = [
        row(json!({"key": "a", "description": "x", "reference": null})),
        row(json!({"amount": 1})),
        row(json!({"note": "x"})),
        row(json!({"amount": null})),
        twice,
        "[]".to_owned(),
        "{".to_owned(),
        row(json!({"key": "b c"})),
        row(json!({"description": "a\nb"})),
        format!("{{\"key\": \"{}\"}}", "k".repeat(20_000)),
        row(json!({})),
    ]
    .join("\n");
    let file = world.file("a.jsonl", &text);
    let dry = world.import(&file, &["--json", "--dry-run"]);
    assert_eq!((dry.code, counts(&dry.json())), (1, [11, 2, 0, 9, 0]));
    assert_eq!(world.bank.balance(bob), "0.00");
    let done = world.import(&file, &["--json"]);
    assert_eq!((done.code, counts(&done.json())), (1, [11, 2, 0, 9, 0]));
    let told: Vec<_> = rows(&done)
        .iter()
        .map(|row| (row["row"].as_u64().unwrap(), row["field"].clone()))
        .collect();
    let field = |row, name: &str| (row, json!(name));
    assert_eq!(
        told,
        [
            field(2, "amount"),
            (3, Value::Null),
            field(4, "amount"),
            field(5, "key"),
            (6, Value::Null),
            (7, Value::Null),
            field(8, "key"),
            field(9, "description"),
            (10, Value::Null),
        ]
    );
    // What is piped in has no prefix of its own.
    let mut piped = world.bank.command(&["import", "-", "--format", "jsonl", "--json"]);
    let keyless = answer_to(&mut piped, text.as_bytes());
    assert_eq!((keyless.code, counts(&keyless.json())), (1, [11, 0, 1, 10, 0]));
    assert!(rows(&keyless).iter().any(|row| row["row"] == 11 && row["field"] == "key"));
    let mut piped =
        world.bank.command(&["import", "-", "--format", "jsonl", "--json", "--key-prefix", "p"]);
    let prefixed = answer_to(&mut piped, text.as_bytes());
    assert_eq!(counts(&prefixed.json()), [11, 1, 1, 9, 0]);
    assert_eq!(world.bank.balance(bob), "3.00");
}

#[tokio::test]
async fn an_atomic_import_happens_as_a_whole_or_not_at_all() {
    let world = World::new().await;
    let World { alice, bob, .. } = &world;
    let before = world.bank.everything().await;
    let head = "from,to,amount,currency\n";
    let row = |amount: &str| format!("{alice},{bob},{amount},EUR\n");
    let bad = world.file("bad.csv", [head, &row("1"), &row("x"), &row("2")].concat());
    let refused = world.import(&bad, &["--atomic", "--json"]);
    assert_eq!((refused.code, counts(&refused.json())), (1, [3, 0, 0, 1, 2]));
    assert_eq!(world.bank.everything().await, before);

    let long = world.file("long.csv", world.cents(1001));
    let refused = world.import(&long, &["--atomic", "--json"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert_has(refused.error()["message"].as_str().unwrap(), &["<FILE>", "more than 1000 rows"]);
    assert_eq!(world.bank.everything().await, before);

    let poor = world.file("poor.csv", [head, &row("1"), &row("1000"), &row("2")].concat());
    let refused = world.import(&poor, &["--atomic", "--json"]);
    assert_eq!((refused.code, counts(&refused.json())), (1, [3, 0, 0, 0, 2]));
    assert_eq!(refused.json()["refused"], json!({"insufficient_funds": 1}));
    assert_eq!(rows(&refused)[0]["row"], 3);
    assert_eq!(world.bank.balance(bob), "0.00");
    assert_eq!(world.count().await, 0);

    let good = world.file("good.csv", world.cents(1000));
    let done = world.import(&good, &["--atomic", "--json"]).ok();
    assert_eq!(counts(&done.json()), [1000, 1000, 0, 0, 0]);
    let again = world.import(&good, &["--atomic", "--json"]).ok();
    assert_eq!(counts(&again.json()), [1000, 0, 1000, 0, 0]);
    assert_eq!(world.bank.balance(bob), "10.00");
}

#[tokio::test]
async fn a_file_that_is_none_is_refused_before_anything_happens() {
    let world = World::new().await;
    let World { alice, bob, .. } = &world;
    let before = world.bank.everything().await;
    let row = format!("{alice},{bob},1,EUR\n");
    let directory = world.files.path().to_path_buf();
    for (file, options, reason) in [
        (world.file("empty.csv", ""), vec![], "the first row is missing"),
        (world.file("headless.csv", &row), vec![], "has the unknown column"),
        (world.file("twice.csv", "from,to,from\n"), vec![], "has the column from twice"),
        (world.file("few.csv", "from,to,amount\n"), vec![], "has no column currency"),
        (world.file("quote.csv", "\"from,to\n"), vec![], "a quote that is not closed"),
        (
            world.file("semicolons.csv", "from;to;amount;currency\n"),
            vec![],
            "has the unknown column",
        ),
        (world.file("escape.csv", "\u{1b}[2J\n"), vec![], "has the unknown column"),
        (world.file("a.txt", &row), vec![], "--format <FORMAT>"),
        (world.file("b.csv", &row), vec!["--format", "xml"], "--format <FORMAT>"),
        (world.file("c.csv", &row), vec!["--key-prefix", ""], "--key-prefix <PREFIX>"),
        (world.file("d.csv", &row), vec!["--key-prefix", "a b"], "--key-prefix <PREFIX>"),
        (directory.join("missing.csv"), vec![], "<FILE>"),
        (directory, vec!["--format", "csv"], "<FILE>"),
        ("-".into(), vec![], "--format <FORMAT>"),
    ] {
        let refused = world.import(&file, &options);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{file:?} {refused:?}");
        assert_has(&refused.stderr, &["error: ", reason]);
        assert!(!refused.stderr.contains('\u{1b}'), "control characters are not repeated");
    }
    assert_eq!(world.bank.everything().await, before);
    let nothing = world.file("nothing.csv", "from,to,amount,currency\n\n");
    assert_eq!(counts(&world.import(&nothing, &["--json"]).ok().json()), [0; 5]);
}

#[tokio::test]
async fn an_import_that_is_killed_goes_on_where_it_was_and_doubles_nothing() {
    const ROWS: usize = 6_000;
    let world = World::new().await;
    let file = world.file("payments.csv", world.cents(ROWS));
    let mut kills = 0;
    for enough in [1, 2_000, 4_000] {
        let mut import = world.command(&file, &["--json"]);
        let mut import = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while world.count().await < enough && import.try_wait().unwrap().is_none() {}
        kills += usize::from(import.try_wait().unwrap().is_none());
        import.kill().unwrap(); // SIGKILL
        import.wait().unwrap();
    }
    assert!(kills > 0, "the imports were all done before they could be killed");
    let there = u64::try_from(world.count().await).unwrap();
    let all = u64::try_from(ROWS).unwrap();
    let rest = world.import(&file, &["--json"]).ok();
    // What a killed command had sent may have been committed after its death, and before its rows were sent again.
    let [rows, accepted, repeated, malformed, not_done] = counts(&rest.json());
    assert_eq!((rows, accepted + repeated, malformed, not_done), (all, all, 0, 0));
    assert!(repeated >= there, "{repeated} of {there}");
    assert_eq!(world.count().await, i64::try_from(ROWS).unwrap());
    assert_eq!(world.bank.balance(&world.bob), "60.00");
    assert_eq!(world.bank.balance(&world.alice), "940.00");
    world.bank.run(&["verify"]).ok();
}

#[tokio::test]
async fn a_bank_that_is_too_busy_stops_the_import_which_can_be_repeated() {
    let world = World::new().await;
    let file = world.file("payments.csv", world.cents(10));
    let owner = world.bank.owner().await;
    let mut holder = owner.acquire().await.unwrap();
    let lock = "begin; select from simplebank.accounts for update";
    sqlx::raw_sql(lock).execute(&mut *holder).await.unwrap();
    let busy = world.import(&file, &["--json"]);
    assert_eq!((busy.code, busy.stdout.as_str()), (3, ""), "{busy:?}");
    assert_eq!(busy.error()["code"], "overloaded");
    assert_has(busy.error()["hint"].as_str().unwrap(), &["repeat the command"]);
    sqlx::raw_sql("rollback").execute(&mut *holder).await.unwrap();
    assert_eq!(counts(&world.import(&file, &["--json"]).ok().json()), [10, 10, 0, 0, 0]);
}
