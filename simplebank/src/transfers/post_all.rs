//! Many transfers at once.

use simplebank_core::{IdempotencyKey, Principal};

use super::Transfer;
use crate::{
    Bank, Error, Kind, Mode, Receipt,
    road::{Answer, Group, GroupAnswer, Wish},
};

/// One of many transfers, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Names the transfer for its caller, as everywhere.
    pub key: IdempotencyKey,
    /// What to move.
    pub transfer: Transfer,
}

impl Bank {
    /// Most transfers in one atomic batch.
    pub const ATOMIC_MAX: usize = 1_000;

    /// Makes many transfers, each exactly once for its key, and answers in their order.
    ///
    /// [`Mode::Independent`]: each stands alone. They are taken through in batches, so that any number will do; after an error
    /// of the whole call, some may have happened, and all can be sent again.
    ///
    /// [`Mode::Atomic`]: all or none, in one transaction; at most [`ATOMIC_MAX`](Self::ATOMIC_MAX). When one is refused, its
    /// refusal is recorded under its key, and nothing under the others.
    ///
    /// # Errors
    ///
    /// [`Error::Member`] when one of an atomic batch was refused; [`Error::Invalid`] for an atomic batch that is too long;
    /// otherwise what befalls the database. What one of an independent batch was refused for stands in its answer.
    pub async fn post_all(
        &self,
        by: &Principal,
        members: Vec<Member>,
        mode: Mode,
    ) -> Result<Vec<Result<Receipt, Error>>, Error> {
        Self::check_length(members.len(), mode)?;
        let count = members.len();
        let chunk = match mode {
            Mode::Independent => self.committer().chunk(),
            Mode::Atomic => Self::ATOMIC_MAX,
        };
        let mut members = members.into_iter();
        let mut receipts = Vec::with_capacity(count);
        loop {
            let wishes: Vec<Wish> = members
                .by_ref()
                .take(chunk)
                .map(|member| self.transfer_wish(by, member.key, member.transfer))
                .collect::<Result<_, Error>>()?;
            if wishes.is_empty() {
                return Ok(receipts);
            }
            match mode {
                Mode::Independent => {
                    let answers = self.post_each(wishes).await?;
                    receipts.extend(Self::receipts(answers)?);
                }
                Mode::Atomic => {
                    receipts.extend(Self::answers(self.post(Group { wishes, mode }).await?)?);
                }
            }
        }
    }

    /// What those that stand alone came to; an error where the bank was busy or away for all of them.
    fn receipts(answers: Vec<Result<Answer, Error>>) -> Result<Vec<Result<Receipt, Error>>, Error> {
        let is_away = |answer: &Result<Answer, Error>| {
            answer.as_ref().is_err_and(|error| error.kind() == Kind::Unavailable)
        };
        let are_all_away = answers.iter().all(is_away);
        let receipt = |answer: Result<Answer, Error>| Ok(answer??.receipt());
        let receipts: Vec<Result<Receipt, Error>> = answers.into_iter().map(receipt).collect();
        if !are_all_away {
            return Ok(receipts);
        }
        receipts.into_iter().map(|receipt| receipt.map(Ok)).collect()
    }

    /// Refuses an atomic batch that is too long.
    pub(crate) fn check_length(members: usize, mode: Mode) -> Result<(), Error> {
        let max = Self::ATOMIC_MAX;
        if mode == Mode::Atomic && members > max {
            return Err(Error::invalid("transfers", format!("must be at most {max}, all or none")));
        }
        Ok(())
    }

    pub(crate) fn answers(answer: GroupAnswer) -> Result<Vec<Result<Receipt, Error>>, Error> {
        let answers = answer.map_err(|offender| Error::Member {
            index: offender.index,
            error: Box::new(offender.refusal.into()),
        })?;
        let receipts = answers.into_iter().map(|answer| Ok(answer?.receipt()));
        Ok(receipts.collect())
    }
}
