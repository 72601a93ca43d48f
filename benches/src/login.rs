//! Does the time of a refused login tell whether there is a user of that name? Logins with a wrong password and with a name that
//! nobody has, in turn, at a server of their own.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Instant,
};

use tokio::task::spawn_blocking;

use crate::{
    Failure,
    arguments::Login,
    cluster::Cluster,
    machine::Machine,
    random::{self, Random},
    server_process::ServerProcess,
    stats,
};

/// More logins than anybody is let in a minute.
const FLAGS: [&str; 2] = ["--login-rate-limit", "1000000"];
const PASSWORD: &str = "staple of horses, corrected";
/// Pairs that warm up: the first hashes of a process are slower.
const WARM_UP: u32 = 10;

/// Runs the trial and prints what it found.
pub(crate) async fn run(options: &Login) -> Result<(), Failure> {
    let seed = options.seed.unwrap_or_else(random::seed);
    println!("seed {seed}");
    let mut random = Random::from_seed(seed);
    let cluster = Cluster::start(options.directory.as_deref())?;
    println!("{}\n", Machine::describe(&cluster, seed).await?.sentence());
    let (url, pairs) = (cluster.url("postgres"), options.pairs);
    let (wrong, unknown) = spawn_blocking(move || ask(&url, pairs, &mut random)).await??;
    let median = |times: Vec<f64>| stats::median(times).ok_or("nothing was measured");
    let (wrong, unknown) = (median(wrong)?, median(unknown)?);
    println!(
        "{pairs} pairs: a wrong password {wrong:.2} ms, an unknown user {unknown:.2} ms (medians), {:.3} times as long",
        unknown / wrong
    );
    Ok(())
}

/// How long each login took in milliseconds: with a wrong password, and with a name that nobody has; blocks.
fn ask(url: &str, pairs: u32, random: &mut Random) -> Result<(Vec<f64>, Vec<f64>), Failure> {
    let key: String = random.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
    let server = ServerProcess::start(url, &key, &FLAGS.map(Into::into))?;
    let mut stream = TcpStream::connect(server.address())?;
    stream.set_nodelay(true)?;
    let alice = format!(
        r#"{{"username":"alice","password":"{PASSWORD}","full_name":"Alice","email":"alice@example.org"}}"#
    );
    post(&mut stream, "/v1/users", &alice, 201)?;
    let (mut wrong, mut unknown) = (Vec::new(), Vec::new());
    for pair in 0..WARM_UP + pairs {
        // Of the two names one is as long as the other, and each is as often the first.
        let mut names = [("alice", &mut wrong), ("nobod", &mut unknown)];
        if pair % 2 == 1 {
            names.reverse();
        }
        for (name, times) in names {
            let body = format!(r#"{{"username":"{name}","password":"not the password {pair}"}}"#);
            let asked_at = Instant::now();
            post(&mut stream, "/v1/users/login", &body, 401)?;
            if pair >= WARM_UP {
                times.push(asked_at.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    server.stop()?;
    Ok((wrong, unknown))
}

/// Sends a request and reads its answer, which must have this status.
fn post(stream: &mut TcpStream, path: &str, body: &str, status: u16) -> Result<(), Failure> {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: bank\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Err(format!("the server has closed the connection: {answer}").into());
        }
        answer.push_str(std::str::from_utf8(chunk.get(..count).unwrap_or_default())?);
        if is_whole(&answer) {
            break;
        }
    }
    if answer.starts_with(&format!("HTTP/1.1 {status} ")) { Ok(()) } else { Err(answer.into()) }
}

/// Whether an answer is there to its end.
fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| length.parse() == Ok(body.len()))
}
