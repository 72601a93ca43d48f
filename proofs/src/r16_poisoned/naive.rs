//! A committer as one would write it without thinking of failures.

use simplebank::{Bank, Error, db::TxSpec};
use tokio::sync::{mpsc, watch};

use crate::wish::Wish;

const BATCH_MAX: usize = 1_000;

/// Gathers orders, and commits what has gathered as it is; whatever comes of it, everybody has been answered.
#[derive(Debug)]
pub(super) struct Naive {
    orders: mpsc::UnboundedSender<Wish>,
    waiting: watch::Sender<usize>,
}

impl Naive {
    pub(super) fn start(bank: Bank) -> Self {
        let (orders, mut taken) = mpsc::unbounded_channel();
        let waiting = watch::Sender::new(0);
        let done = waiting.clone();
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while taken.recv_many(&mut batch, BATCH_MAX).await > 0 {
                drop(commit(&bank, &batch).await);
                done.send_modify(|waiting| *waiting -= batch.len());
                batch.clear();
            }
        });
        Self { orders, waiting }
    }

    pub(super) fn enqueue(&self, wish: Wish) {
        self.waiting.send_modify(|waiting| *waiting += 1);
        self.orders.send(wish).expect("the task runs as long as this is here");
    }

    /// Waits until nothing is left.
    pub(super) async fn settled(&self) {
        let settled = self.waiting.subscribe().wait_for(|waiting| *waiting == 0).await.is_ok();
        assert!(settled, "the sender is here");
    }
}

async fn commit(bank: &Bank, batch: &[Wish]) -> Result<(), Error> {
    const NAIVE: TxSpec = TxSpec::read_committed("naive");
    bank.db()
        .transact(NAIVE, async |tx| {
            for wish in batch {
                let (key, command) = (wish.key.clone(), wish.command.clone());
                bank.transfer_in(tx, &wish.by, key, command).await?;
            }
            Ok(())
        })
        .await
}
