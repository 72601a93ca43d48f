//! The mail that tells somebody that their password has changed.

use askama::Template;
use simplebank_core::{
    JobId,
    user::{Email, Username},
};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::{Letterhead, Mail};

/// What the mail says. There is no link in it: who is used to follow links in such mails follows a forger's as well.
pub(crate) struct PasswordChangedMail<'a> {
    pub(crate) username: &'a Username,
    pub(crate) changed_at: OffsetDateTime,
}

#[derive(Template)]
#[template(path = "password_changed.txt")]
struct Text<'a> {
    username: &'a str,
    changed_at: &'a str,
}

#[derive(Template)]
#[template(path = "password_changed.html")]
struct Html<'a> {
    username: &'a str,
    changed_at: &'a str,
}

impl PasswordChangedMail<'_> {
    pub(crate) fn write(
        &self,
        job: JobId,
        letterhead: &Letterhead,
        to: Email,
        at: OffsetDateTime,
    ) -> Result<Mail, askama::Error> {
        let username = self.username.as_str();
        let changed_at = self.changed_at.format(&Rfc2822).map_err(askama::Error::custom)?;
        let changed_at = changed_at.as_str();
        let text = Text { username, changed_at }.render()?;
        let html = Html { username, changed_at }.render()?;
        let (from, subject) = (letterhead.from.clone(), "Your password has changed");
        Ok(Mail { job, from, to, subject, text, html, at })
    }
}
