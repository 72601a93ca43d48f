use super::*;

#[derive(Debug, Deserialize)]
struct Pair {
    name: String,
    amount: String,
}

fn faults(body: impl AsRef<[u8]>) -> Vec<(String, String)> {
    match parse::<Pair>(body.as_ref()) {
        Err(Refusal::Malformed { detail, errors }) if errors.is_empty() => {
            vec![("body".to_owned(), detail.to_owned())]
        }
        Err(Refusal::Malformed { errors, .. }) => {
            errors.into_iter().map(|error| (error.field, error.message)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// A body that never arrives.
struct Never;

impl axum::body::HttpBody for Never {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    assert!(matches!(read(Body::new(Never), BODY_BYTES_MAX).await, Err(Refusal::RequestTimeout)));
}

#[test]
fn an_object_of_strings_is_read_in_any_order_and_with_escapes() {
    let pair: Pair =
        parse(b" {\"amo\\u0075nt\":\"1\",\"name\":\"\\u00e9\\ud83d\\ude00\"}\n").unwrap();
    assert_eq!((pair.name.as_str(), pair.amount.as_str()), ("\u{e9}\u{1f600}", "1"));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let body = r#"{"amount": 12.5, "role": "banker", "role2": {"a": [1]}, "\u0000": 1}"#;
    let told = faults(body);
    let fields: Vec<&str> = told.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["role", "role2", "(another)", "amount", "name"]);
    assert!(told[3].1.contains("\"12.50\""), "{told:?}");
}

#[test]
fn what_is_no_object_of_strings_is_refused() {
    for (body, field) in [
        ("", "body"),
        ("{", "body"),
        ("null", "body"),
        ("[\"a\",\"1\"]", "body"),
        ("\"a\"", "body"),
        ("{\"name\":\"a\",\"amount\":\"1\"}{}", "body"),
        ("{\"name\":\"a\",\"amount\":\"1\",}", "body"),
        ("{name:\"a\",\"amount\":\"1\"}", "body"),
        ("\u{feff}{\"name\":\"a\",\"amount\":\"1\"}", "body"),
        ("{\"name\":\"a\",\"name\":\"b\",\"amount\":\"1\"}", "name"),
        ("{\"name\":\"a\",\"n\\u0061me\":\"b\",\"amount\":\"1\"}", "name"),
        ("{\"name\":null,\"amount\":\"1\"}", "name"),
        ("{\"name\":[\"a\"],\"amount\":\"1\"}", "name"),
        ("{\"name\":\"a\\u0000\",\"amount\":\"1\"}", "name"),
        ("{\"name\":\"a\\n\",\"amount\":\"1\"}", "name"),
        ("{\"name\":\"\\ud800\",\"amount\":\"1\"}", "name"),
        ("{\"name\":\"a\",\"amount\":1e999}", "amount"),
        ("{\"name\":\"a\",\"amount\":true}", "amount"),
        ("{\"name\":\"a\"}", "amount"),
    ] {
        assert_eq!(faults(body).len(), 1, "{body}");
        assert_eq!(faults(body)[0].0, field, "{body}");
    }
    assert_eq!(faults(b"{\"name\":\"\xff\",\"amount\":\"1\"}")[0].0, "body");
}

#[test]
fn deep_and_wide_bodies_are_refused_in_few_words() {
    let deep =
        format!("{{\"name\":{}{},\"amount\":\"1\"}}", "[".repeat(30_000), "]".repeat(30_000));
    assert_eq!(faults(deep).len(), 1);
    let wide: Vec<String> = (0..3_000).map(|number| format!("\"f{number}\":1")).collect();
    assert_eq!(faults(format!("{{{}}}", wide.join(","))).len(), ERRORS_MAX);
}

#[derive(Debug, Deserialize)]
struct Many {
    note: Option<String>,
    seconds: Option<u32>,
    pairs: Vec<Pair>,
}

#[test]
fn options_may_be_left_out_or_null_and_arrays_hold_objects() {
    let many: Many = parse(br#"{"pairs": []}"#).unwrap();
    assert_eq!((many.note, many.seconds, many.pairs.len()), (None, None, 0));
    let many: Many = parse(br#"{"note": null, "seconds": null, "pairs": []}"#).unwrap();
    assert_eq!((many.note, many.seconds), (None, None));
    let body =
        br#"{"seconds": 60, "note": "x", "pairs": [{"name": "a", "amount": "1"}, {"amount": "2", "name": "b"}]}"#;
    let many: Many = parse(body).unwrap();
    let pairs: Vec<_> =
        many.pairs.iter().map(|pair| (pair.name.as_str(), pair.amount.as_str())).collect();
    assert_eq!((many.note.as_deref(), many.seconds), (Some("x"), Some(60)));
    assert_eq!(pairs, [("a", "1"), ("b", "2")]);
}

#[test]
fn what_is_wrong_inside_an_array_is_told_with_its_place() {
    for (body, fields) in [
        (r#"{}"#, vec!["pairs"]),
        (r#"{"pairs": null}"#, vec!["pairs"]),
        (r#"{"pairs": {}}"#, vec!["pairs"]),
        (r#"{"pairs": "[]"}"#, vec!["pairs"]),
        (r#"{"pairs": [1]}"#, vec!["pairs[0]"]),
        (r#"{"pairs": [null]}"#, vec!["pairs[0]"]),
        (r#"{"pairs": [[]]}"#, vec!["pairs[0]"]),
        (
            r#"{"pairs": [{"name": "a", "amount": "1"}, {"name": 1, "other": "", "amount": 1}], "note": 7, "seconds": "1"}"#,
            vec!["pairs[1].other", "pairs[1].name", "pairs[1].amount", "note", "seconds"],
        ),
        (r#"{"pairs": [{"name": "a", "name": "b", "amount": "1"}]}"#, vec!["pairs[0].name"]),
        (r#"{"pairs": [], "seconds": -1}"#, vec!["seconds"]),
        (r#"{"pairs": [], "seconds": 1.5}"#, vec!["seconds"]),
        (r#"{"pairs": [], "seconds": 4294967296}"#, vec!["seconds"]),
        (r#"{"pairs": [], "note": "\u0000"}"#, vec!["note"]),
    ] {
        let Err(Refusal::Malformed { errors, .. }) = parse::<Many>(body.as_bytes()) else {
            panic!("{body}");
        };
        let told: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(told, fields, "{body}");
    }
}
