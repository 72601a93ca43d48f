//! The mail that tells somebody what has happened to their account at the bank.

use askama::Template;
use simplebank_core::{
    Balance, JobId,
    transfer::Transfer,
    user::{Email, Username},
};
use time::OffsetDateTime;

use super::{Letterhead, Mail};
use crate::jobs::Notice;

/// What the mail says: what has happened, and to whom by their name. No link: whoever gets used to following one follows
/// anybody's.
pub(crate) struct NoticeMail<'a> {
    pub(crate) notice: Notice,
    pub(crate) username: &'a Username,
}

#[derive(Template)]
#[template(path = "notice.txt")]
struct Text<'a> {
    username: &'a str,
    what: &'a str,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Html<'a> {
    username: &'a str,
    what: &'a str,
}

impl NoticeMail<'_> {
    pub(crate) fn write(
        &self,
        job: JobId,
        letterhead: &Letterhead,
        to: Email,
        at: OffsetDateTime,
    ) -> Result<Mail, askama::Error> {
        let (subject, what) = match self.notice {
            Notice::EmailChanged => (
                "Your e-mail address was changed",
                "has another e-mail address now, and this one is no longer used",
            ),
        };
        let username = self.username.as_str();
        let text = Text { username, what }.render()?;
        let html = Html { username, what }.render()?;
        Ok(Mail { job, from: letterhead.from.clone(), to, subject, text, html, at })
    }
}

/// The mail that tells somebody how much went out of their account. Of what was typed it says nothing.
pub(crate) struct TransferMail<'a> {
    pub(crate) username: &'a Username,
    pub(crate) transfer: &'a Transfer,
}

impl TransferMail<'_> {
    pub(crate) fn write(
        &self,
        job: JobId,
        letterhead: &Letterhead,
        to: Email,
        at: OffsetDateTime,
    ) -> Result<Mail, askama::Error> {
        let Transfer { id, amount, currency, .. } = self.transfer;
        let amount = Balance::credit(*amount).to_decimal(*currency);
        let what = &format!("has paid {amount} {currency}, by the transfer {id}");
        let username = self.username.as_str();
        let text = Text { username, what }.render()?;
        let html = Html { username, what }.render()?;
        let subject = "Money went out of your account";
        Ok(Mail { job, from: letterhead.from.clone(), to, subject, text, html, at })
    }
}
