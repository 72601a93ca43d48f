//! The mail that asks somebody whether an address is theirs.

use askama::Template;
use simplebank_core::{
    JobId, VerificationId,
    user::{Email, Username},
    verification::{CODE_LIFETIME, Code},
};
use time::OffsetDateTime;

use super::{Letterhead, Mail};

/// What the mail says. Of what its user chose it has the name alone, which is narrow: whoever registers with somebody else's
/// address can't have us write them a text.
pub(crate) struct VerificationMail<'a> {
    pub(crate) verification: VerificationId,
    pub(crate) username: &'a Username,
    pub(crate) code: &'a Code,
}

#[derive(Template)]
#[template(path = "verify_email.txt")]
struct Text<'a> {
    username: &'a str,
    link: &'a str,
    code: &'a str,
    minutes: i64,
}

#[derive(Template)]
#[template(path = "verify_email.html")]
struct Html<'a> {
    username: &'a str,
    link: &'a str,
    code: &'a str,
    minutes: i64,
}

impl VerificationMail<'_> {
    pub(crate) fn write(
        &self,
        job: JobId,
        letterhead: &Letterhead,
        to: Email,
        at: OffsetDateTime,
    ) -> Result<Mail, askama::Error> {
        let code = &self.code.to_string();
        let Letterhead { from, public_url } = letterhead;
        // An id and a code have only letters, digits and hyphens.
        let link = &format!("{public_url}/v1/verify-email?id={}&code={code}", self.verification);
        let (username, minutes) = (self.username.as_str(), CODE_LIFETIME.whole_minutes());
        let text = Text { username, link, code, minutes }.render()?;
        let html = Html { username, link, code, minutes }.render()?;
        let (from, subject) = (from.clone(), "Confirm your e-mail address");
        Ok(Mail { job, from, to, subject, text, html, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_html_is_escaped() {
        let letterhead = Letterhead {
            from: "bank@example.org".parse().unwrap(),
            public_url: "https://bank.example/\"><script>".to_owned(),
        };
        let mail = VerificationMail {
            verification: VerificationId::from_parts(1, [1; 10]),
            username: &"alice".parse().unwrap(),
            code: &Code::from_bytes([7; 10]),
        };
        let to = "alice@example.org".parse().unwrap();
        let mail =
            mail.write(JobId::from_parts(1, [1; 10]), &letterhead, to, OffsetDateTime::UNIX_EPOCH);
        let mail = mail.unwrap();
        assert!(
            !mail.html.contains("<script>") && mail.html.contains("&#60;script&#62;"),
            "{}",
            mail.html
        );
        assert!(mail.text.contains("for 15 minutes"), "{}", mail.text);
        for part in [&mail.text, &mail.html] {
            assert!(part.contains(&Code::from_bytes([7; 10]).to_string()), "{part}");
        }
    }
}
