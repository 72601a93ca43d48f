//! Mail: what is written, and by whom it is carried.
//!
//! | [`Mailer`] | carries a mail |
//! |---|---|
//! | [`Smtp`] | to an SMTP server, over TLS unless that is on this machine |
//! | [`Folder`] | into a file of its own: the default of a server that was told of no SMTP server |
//! | [`Log`] | nowhere, and says so |

mod folder;
mod log;
mod password_changed;
#[cfg(feature = "clap")]
mod settings;
mod smtp;
mod verification;

use std::{fmt, io};

use async_trait::async_trait;
use lettre::{
    Message,
    address::AddressError,
    message::{Mailbox, MultiPart},
};
use simplebank_core::{JobId, user::Email};
use thiserror::Error;
use time::OffsetDateTime;

#[cfg(feature = "clap")]
pub use self::settings::MailArgs;
pub use self::{
    folder::Folder,
    log::Log,
    smtp::{InvalidSmtpUrl, Smtp, SmtpUrl},
};
pub(crate) use self::{password_changed::PasswordChangedMail, verification::VerificationMail};

/// Carries mail.
#[async_trait]
pub trait Mailer: fmt::Debug + Send + Sync {
    /// Hands a mail over. When nobody knows whether that was done, the same mail is handed over again, with the same
    /// [`message_id`](Mail::message_id).
    ///
    /// # Errors
    ///
    /// [`MailError`]; the mail may have been taken all the same.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}

#[async_trait]
impl Mailer for Box<dyn Mailer> {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        self.as_ref().send(mail).await
    }
}

/// Why a mail was not carried, or perhaps not.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MailError {
    /// An address or the message can't be written as RFC 5322 wants it.
    #[error("not a mail")]
    Message(#[source] lettre::error::Error),
    /// An address that only the mail's standards refuse.
    #[error("not an address")]
    Address(#[source] AddressError),
    /// The SMTP server, or the way to it.
    #[error("smtp")]
    Smtp(#[source] lettre::transport::smtp::Error),
    /// The folder.
    #[error("folder")]
    Folder(#[source] io::Error),
}

/// A mail to one person. `Debug` shows neither the recipient nor what is in it.
#[derive(Clone)]
pub struct Mail {
    /// The job that sends it.
    pub job: JobId,
    /// Who sends it.
    pub from: Email,
    /// Who is to get it.
    pub to: Email,
    /// What it is about: never what somebody typed.
    pub subject: &'static str,
    /// What it says, as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// When it was written.
    pub at: OffsetDateTime,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("job", &self.job).finish_non_exhaustive()
    }
}

impl Mail {
    /// The `Message-ID`: of the job, so that it is the same each time the mail is sent, and programs that read mail show it once.
    #[must_use]
    pub fn message_id(&self) -> String {
        // A parsed address has an `@`.
        let domain = self.from.as_str().rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        format!("<{}@{domain}>", self.job)
    }

    /// The mail as RFC 5322 writes it, in text and HTML.
    ///
    /// # Errors
    ///
    /// [`MailError::Address`], [`MailError::Message`].
    pub fn message(&self) -> Result<Message, MailError> {
        let mailbox = |address: &Email| -> Result<Mailbox, MailError> {
            Ok(Mailbox::new(None, address.as_str().parse().map_err(MailError::Address)?))
        };
        Message::builder()
            .from(mailbox(&self.from)?)
            .to(mailbox(&self.to)?)
            .subject(self.subject)
            .message_id(Some(self.message_id()))
            .date(self.at.into())
            .multipart(MultiPart::alternative_plain_html(self.text.clone(), self.html.clone()))
            .map_err(MailError::Message)
    }
}

/// Who signs mails, and where their links lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letterhead {
    /// Who sends them.
    pub from: Email,
    /// Where people reach the bank, such as `https://bank.example`, without a slash at the end.
    pub public_url: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mail(to: &str, text: &str) -> Mail {
        Mail {
            job: JobId::from_parts(1, [1; 10]),
            from: "bank@example.org".parse().unwrap(),
            to: to.parse().unwrap(),
            subject: "Hello",
            text: text.to_owned(),
            html: String::new(),
            at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    /// The lines of the head, those that go on joined.
    fn head(message: &Message) -> Vec<String> {
        let text = String::from_utf8(message.formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn a_mail_is_the_same_each_time_but_for_its_boundary() {
        let mail = mail("alice@example.org", "hi");
        let [first, second] = [(); 2].map(|()| head(&mail.message().unwrap()));
        assert!(first.contains(&format!("Message-ID: {}", mail.message_id())), "{first:?}");
        assert!(first.contains(&"Date: Thu, 01 Jan 1970 00:00:00 +0000".to_owned()), "{first:?}");
        let without_boundary = |head: Vec<String>| -> Vec<String> {
            head.into_iter().filter(|line| !line.starts_with("Content-Type")).collect()
        };
        assert_eq!(without_boundary(first), without_boundary(second));
    }

    #[test]
    fn debugging_a_mail_tells_nobody_its_secret() {
        let text = format!("{:?}", mail("alice@example.org", "the code"));
        assert!(!text.contains("alice") && !text.contains("code"), "{text}");
    }

    proptest! {
        /// Whatever somebody types as an address and the parser takes, the head has the same lines.
        #[test]
        fn nobody_adds_a_line_to_the_head(
            address in "[a-z!#$%&'*+/=?^_`{|}~.\r\n :<>,;-]{1,20}@[a-z.\r\n-]{1,10}\\.[a-z\r\n]{1,5}", text in any::<String>(),
        ) {
            let Ok(to) = address.parse::<Email>() else { return Ok(()) };
            let Ok(message) = mail(to.as_str(), &text).message() else { return Ok(()) };
            let names: Vec<String> = head(&message).iter().filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned()).collect();
            prop_assert_eq!(names, ["From", "To", "Subject", "Message-ID", "Date", "MIME-Version", "Content-Type"]);
            prop_assert_eq!(message.envelope().to().len(), 1);
        }
    }
}
