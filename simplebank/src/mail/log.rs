//! Mail into nothing.

use async_trait::async_trait;

use super::{Mail, MailError, Mailer};

/// Carries no mail, and logs that. Neither the recipient nor a word of what is in it is logged, at no level: logs are shared, kept,
/// and read by more people than may confirm somebody's address. Who wants to read mails takes a [`Folder`](super::Folder).
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

#[async_trait]
impl Mailer for Log {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        tracing::warn!(
            message_id = mail.message_id(),
            subject = mail.subject,
            "no mail was sent, since there is neither an SMTP server nor a folder for it"
        );
        Ok(())
    }
}
