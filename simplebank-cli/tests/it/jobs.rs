//! `simplebank job` and `simplebank worker`.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{Bank, assert_has, fields};

/// A worker; it is killed if the test fails.
struct Worker(Child);

impl Worker {
    /// Starts one, and waits until it is at work.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.contains("doing the bank's jobs"), "{line}");
        // What it says after that must not fill the pipe.
        std::thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
        Self(child)
    }

    fn signal(&mut self, name: &str) -> Option<i32> {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mails(data_dir: &Path) -> Vec<String> {
    let files = std::fs::read_dir(data_dir.join("mail")).into_iter().flatten();
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    let done = paths.filter(|path| path.extension().is_some_and(|end| end == "eml"));
    done.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Waits for something that takes a moment: 60 s are more than it ever takes.
fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let give_up_at = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !is_so() {
        assert!(std::time::Instant::now() < give_up_at, "{what} never came");
    }
}

#[tokio::test]
async fn jobs_are_listed_retried_and_dropped() {
    let bank = Bank::new().await;
    bank.user("alice");
    let jobs = bank.json(&["job", "list"]);
    let job = &jobs["items"][0];
    assert_eq!(
        fields(job),
        [
            "attempts",
            "attempts_max",
            "created_at",
            "due_at",
            "id",
            "kind",
            "last_error",
            "queue",
            "state"
        ]
    );
    assert_eq!(
        (&job["kind"], &job["state"], &job["queue"]),
        (&"verify_email".into(), &"waiting".into(), &"critical".into())
    );
    let id = job["id"].as_str().unwrap();
    let killed = format!(
        "update simplebank.jobs set attempts = 10, dead_at = now(), last_error = '450 \\x1b[31m' where id = '{id}'"
    );
    bank.tamper(&killed.replace("\\x1b", "\u{1b}")).await;
    let table = bank.run(&["job", "list"]).ok().stdout;
    assert_has(&table, &["dead", "10 of 10", "450"]);
    assert!(!table.contains('\u{1b}'), "{table:?}");
    assert_eq!(bank.json(&["job", "retry", id])["state"], "retried");
    let job = &bank.json(&["job", "list"])["items"][0];
    assert_eq!((&job["state"], &job["attempts"]), (&"waiting".into(), &0.into()));
    assert_eq!(bank.json(&["job", "drop", id])["state"], "dropped");
    assert_eq!(bank.json(&["job", "list"])["items"], serde_json::json!([]));
    let gone = bank.run(&["job", "drop", id]);
    assert_eq!((gone.code, gone.stdout.as_str()), (1, ""));
    let busy = bank.run(&["job", "retry", "x"]);
    assert_eq!(busy.code, 2, "{busy:?}");
}

#[tokio::test]
async fn a_worker_writes_mails_into_the_data_directory_until_it_is_told_to_stop() {
    let bank = Bank::new().await;
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let mut command = bank.command(&["worker", "--data-dir", data_dir.to_str().unwrap()]);
    let mut worker = Worker::start(&mut command);
    bank.user("alice");
    wait_for("the mail", || mails(&data_dir).len() == 1);
    assert_has(&mails(&data_dir)[0], &["To: alice@example.org", "Message-ID: <"]);
    assert_eq!(worker.signal("-TERM"), Some(0));
    bank.user("bob");
    assert_eq!(mails(&data_dir).len(), 1);
}

/// Speaks SMTP (RFC 5321) with one client until that is gone; returns the mail if it got one.
fn take_mail(stream: TcpStream) -> std::io::Result<Option<String>> {
    let mut to_client = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    to_client.write_all(b"220 bank.test\r\n")?;
    let mut mail = None;
    while let Some(line) = lines.next().transpose()? {
        let answer: &[u8] = if line.starts_with("DATA") {
            to_client.write_all(b"354 go on\r\n")?;
            let text: Result<Vec<String>, _> = lines
                .by_ref()
                .take_while(|line| line.as_ref().is_ok_and(|line| line != "."))
                .collect();
            mail = Some(text?.join("\n"));
            b"250 taken\r\n"
        } else {
            b"250 ok\r\n"
        };
        to_client.write_all(answer)?;
        if line.starts_with("QUIT") || mail.is_some() {
            break;
        }
    }
    Ok(mail)
}

#[tokio::test]
async fn what_a_killed_worker_was_sending_is_sent_by_the_next_one() {
    let bank = Bank::new().await;
    bank.user("alice");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", server.local_addr().unwrap());
    let mut command = bank.command(&["worker", "--smtp-url", &url]);
    let mut worker = Worker::start(&mut command);
    // It has connected, and is killed before it hears a word.
    let (silent, _) = server.accept().unwrap();
    assert_eq!(worker.signal("-KILL"), None);
    drop(silent);
    let job = || bank.json(&["job", "list"])["items"][0].clone();
    assert_eq!((&job()["state"], &job()["attempts"]), (&"running".into(), &1.into()));
    let id = job()["id"].as_str().unwrap().to_owned();
    // Its lease runs out.
    bank.tamper("update simplebank.jobs set due_at = now() - interval '1 minute'").await;
    let mut worker = Worker::start(&mut command);
    let (stream, _) = server.accept().unwrap();
    let mail = take_mail(stream).unwrap().unwrap();
    assert_has(&mail, &[&format!("Message-ID: <{id}@"), "To: alice@example.org"]);
    wait_for("the end of the job", || {
        bank.json(&["job", "list"])["items"].as_array().unwrap().is_empty()
    });
    assert_eq!(worker.signal("-INT"), Some(0));
}
