//! `Bank::post_all` in this process: many transfers a call, each with its key, each standing alone.

use std::time::Instant;

use simplebank::{Member, Mode, core::Principal};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    Failure,
    in_process::{Load, command, is_too_much},
    measure::{Log, RETRY_AFTER, Running},
    number::{index, wide},
};

/// Runs a load of batches of `size` to its end. The operator sends them, since their payers are many.
pub(crate) async fn run(load: &Load, size: u32) -> Result<Log, Failure> {
    let mut chooser = load.chooser.clone();
    let running = Running::begin(load.schedule);
    let mut tasks = JoinSet::new();
    for number in 0..load.tasks {
        let own = Load {
            chooser: chooser.split(),
            keys: format!("{}-{number}", load.keys),
            ..load.clone()
        };
        tasks.spawn(post(own, index(size.into()), running));
    }
    let mut log = Log::default();
    while let Some(told) = tasks.join_next().await {
        log.add(told??);
    }
    Ok(log)
}

async fn post(mut load: Load, size: usize, running: Running) -> Result<Log, Failure> {
    let mut log = Log::default();
    let mut number = 0_u64;
    while !running.is_over() {
        number += 1;
        let members = members(&mut load, size, number)?;
        let asked_at = Instant::now();
        match load.bank.post_all(&Principal::Operator, members, Mode::Independent).await {
            Ok(answers) => {
                if let Some(error) = answers.into_iter().find_map(Result::err) {
                    return Err(error.into());
                }
                log.acknowledge(size, asked_at, running);
            }
            Err(error) if is_too_much(&error) => {
                log.refused += wide(size);
                sleep(RETRY_AFTER).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(log)
}

fn members(load: &mut Load, size: usize, number: u64) -> Result<Vec<Member>, Failure> {
    let mut members = Vec::with_capacity(size);
    for place in 0..size {
        let key = format!("{}-{number}-{place}", load.keys).parse()?;
        let transfer = command(&load.world, load.chooser.next())?;
        members.push(Member { key, transfer });
    }
    Ok(members)
}
