//! What logging in tells a stranger.

use std::time::{Duration, Instant};

use reqwest::header::{DATE, HeaderMap};
use serde_json::json;

use crate::support::{Answer, World};

/// Pairs of tries; the median forgives those that something else has held up.
const PAIRS: usize = 31;

/// An unknown user and a wrong password get the same bytes. How long each took is printed, not judged: see
/// `cargo test -p simplebank-http --test it abuse::authentication -- --nocapture`.
#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_differ_in_nothing() {
    let world = World::new().await;
    let usernames: Vec<_> = (0..PAIRS).map(|number| format!("user{number}")).collect();
    for username in &usernames {
        world.user(username).await;
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (number, username) in usernames.iter().enumerate() {
        // Each is the first as often as the other.
        let stranger = format!("nobody{number}");
        let mut pair = [(username.clone(), true), (stranger, false)];
        pair.rotate_left(number % 2);
        let mut answers = Vec::new();
        for (username, is_known) in pair {
            let (answer, took) = log_in(&world, &username).await;
            if is_known { &mut known } else { &mut unknown }.push(took);
            answer.is_problem(401, "wrong_credentials", &[]);
            answers.push((answer.text.clone(), compared(&answer)));
        }
        assert_eq!(answers[0], answers[1]);
    }
    let (known, unknown) = (median(known), median(unknown));
    #[expect(clippy::print_stdout, reason = "a figure, for whoever asks for it with --nocapture")]
    {
        println!(
            "a wrong password takes {known:?}, an unknown user {unknown:?}: {} ‰",
            unknown.as_micros() * 1000 / known.as_micros()
        );
    }
}

async fn log_in(world: &World, username: &str) -> (Answer, Duration) {
    let body = json!({"username": username, "password": "not the password at all"});
    let begun = Instant::now();
    let answer = world.anyone().post("/v1/users/login", body).await;
    (answer, begun.elapsed())
}

/// The headers, but for those that differ from any answer to the next.
fn compared(answer: &Answer) -> HeaderMap {
    let mut headers = answer.headers.clone();
    assert!(headers.remove("x-request-id").is_some());
    headers.remove(DATE);
    headers
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
