//! Moving money in memory.

use simplebank_core::{
    AccountId, Amount, Balance, Currency, Hold, HoldId, IdempotencyKey, Principal,
    access::Power,
    transfer::{Action, Effect, Order, Reversible, Terms},
};

use super::{MemoryLedger, State, require};
use crate::{
    Bank, Deposit, Error, Member, Mode, PlaceHold, Receipt, Reverse, Transfer, Withdrawal,
    ports::new_id,
    road::{Done, Group, GroupAnswer, Wish, committer::only, judge::judge},
};

impl MemoryLedger {
    /// As [`Bank::transfer`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn transfer(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Transfer,
    ) -> Result<Receipt, Error> {
        let action = Action::Transfer { id: new_id(self.now())?, terms: command.terms() };
        Ok(self.post_one(Wish::new(by, key, action))?.receipt())
    }

    /// As [`Bank::deposit`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn deposit(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Deposit,
    ) -> Result<Receipt, Error> {
        require(by, Power::Deposit)?;
        let Deposit { account_id, amount, currency, memo } = command;
        let (from_account_id, to_account_id) = (self.cash(currency)?, account_id);
        let terms = Terms { from_account_id, to_account_id, amount, currency, memo };
        let action = Action::Deposit { id: new_id(self.now())?, terms };
        Ok(self.post_one(Wish::new(by, key, action))?.receipt())
    }

    /// As [`Bank::withdraw`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn withdraw(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Withdrawal,
    ) -> Result<Receipt, Error> {
        require(by, Power::Withdraw)?;
        let Withdrawal { account_id, amount, currency, memo } = command;
        let (from_account_id, to_account_id) = (account_id, self.cash(currency)?);
        let terms = Terms { from_account_id, to_account_id, amount, currency, memo };
        let action = Action::Withdraw { id: new_id(self.now())?, terms };
        Ok(self.post_one(Wish::new(by, key, action))?.receipt())
    }

    /// As [`Bank::place_hold`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn place_hold(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: PlaceHold,
    ) -> Result<Hold, Error> {
        let PlaceHold { transfer, lasting } = command;
        let action = Action::Hold { id: new_id(self.now())?, terms: transfer.terms(), lasting };
        Ok(self.post_one(Wish::new(by, key, action))?.hold())
    }

    /// As [`Bank::capture`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn capture(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        hold: HoldId,
        amount: Option<Amount>,
    ) -> Result<Receipt, Error> {
        let action = Action::Capture { id: new_id(self.now())?, hold, amount };
        Ok(self.post_one(Wish::new(by, key, action))?.receipt())
    }

    /// As [`Bank::void`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn void(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        hold: HoldId,
    ) -> Result<Hold, Error> {
        Ok(self.post_one(Wish::new(by, key, Action::Void { hold }))?.hold())
    }

    /// As [`Bank::reverse`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn reverse(
        &self,
        by: &Principal,
        key: IdempotencyKey,
        command: Reverse,
    ) -> Result<Receipt, Error> {
        let Reverse { transfer_id: transfer, amount, memo } = command;
        let action = Action::Reverse { id: new_id(self.now())?, transfer, amount, memo };
        Ok(self.post_one(Wish::new(by, key, action))?.receipt())
    }

    /// As [`Bank::post_all`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn post_all(
        &self,
        by: &Principal,
        members: Vec<Member>,
        mode: Mode,
    ) -> Result<Vec<Result<Receipt, Error>>, Error> {
        Bank::check_length(members.len(), mode)?;
        let wish = |Member { key, transfer }| {
            let action = Action::Transfer { id: new_id(self.now())?, terms: transfer.terms() };
            Ok(Wish::new(by, key, action))
        };
        let wishes = members.into_iter().map(wish).collect::<Result<Vec<Wish>, Error>>()?;
        Bank::answers(self.post(wishes, mode))
    }

    fn cash(&self, currency: Currency) -> Result<AccountId, Error> {
        let now = self.now();
        self.lock().cash(currency, now)
    }

    fn post_one(&self, wish: Wish) -> Result<Done, Error> {
        Ok(only(self.post(vec![wish], Mode::Independent))??)
    }

    fn post(&self, wishes: Vec<Wish>, mode: Mode) -> GroupAnswer {
        let now = self.now();
        let mut state = self.lock();
        let orders = || wishes.iter().map(|wish| &wish.order);
        let accounts = orders().flat_map(Order::accounts);
        let holds = orders().filter_map(Order::hold);
        let transfers = orders().filter_map(Order::reversed_transfer);
        let part = state.part(accounts, holds, transfers, now);
        let groups = [Group { wishes, mode }];
        let mut judged = judge(&groups, part, &state.answered, now);
        state.take(&judged.book);
        judged.effects.iter().for_each(|effect| state.enter(effect));
        state.answered.learn(&groups, &judged.answers);
        judged.answers.pop().expect("there are as many answers as groups")
    }
}

impl State {
    /// Writes down what has moved.
    fn enter(&mut self, effect: &Effect) {
        let Some(posting) = effect.posting() else { return };
        if let Effect::Reversed { posting, reversal } = effect
            && let Some(id) = posting.transfer().reverses_id
            && let Some(original) = self.book.transfer(id).cloned()
        {
            let (reversals, reversed) = (reversal.number, reversal.reversed);
            self.book.put_transfer(Reversible { reversals, reversed, ..original });
        }
        for entry in posting.entries() {
            self.entries.entry(entry.account_id).or_default().push(entry.clone());
        }
        let transfer = posting.transfer().clone();
        self.book.put_transfer(Reversible { transfer, reversals: 0, reversed: Balance::ZERO });
    }
}
