//! Where mail goes, as flags and environment variables; shared by all binaries that send any.

use std::{
    fs,
    path::{Path, PathBuf},
};

use simplebank_core::user::Email;

use super::{Folder, Letterhead, Log, MailError, Mailer, Smtp, SmtpUrl};

/// The options that say where mail goes, to be flattened into a binary's own.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Mail")]
pub struct MailArgs {
    /// The SMTP server that takes mail: smtps://user:password@host for TLS, smtp://user:password@host for STARTTLS, or
    /// smtp://127.0.0.1:1025 without TLS on this machine; without one, mails become files in the folder mail of the data
    /// directory.
    #[arg(long, value_name = "URL", env = "SMTP_URL", hide_env_values = true, value_parser = parse_smtp_url)]
    smtp_url: Option<SmtpUrl>,
    /// The certificate, in a PEM file, of an authority of one's own that has signed the SMTP server's; it is trusted beside
    /// the public ones.
    #[arg(long, value_name = "FILE", env = "SMTP_CA", requires = "smtp_url")]
    smtp_ca: Option<PathBuf>,
    /// Who sends mail: an e-mail address.
    #[arg(long, value_name = "ADDRESS", env = "MAIL_FROM", default_value = "simplebank@localhost.localdomain",
        value_parser = parse_email)]
    mail_from: Email,
    /// Where people reach the bank, for the links in mails, such as `https://bank.example` [default: where it listens].
    #[arg(long, value_name = "URL", env = "PUBLIC_URL", value_parser = parse_public_url)]
    public_url: Option<String>,
}

impl MailArgs {
    /// True when mail reaches people.
    #[must_use]
    pub const fn reaches_people(&self) -> bool {
        self.smtp_url.is_some()
    }

    /// Who signs mails; links lead to `otherwise` if nothing was said.
    #[must_use]
    pub fn letterhead(&self, otherwise: &str) -> Letterhead {
        let public_url = self.public_url.as_deref().unwrap_or(otherwise).to_owned();
        Letterhead { from: self.mail_from.clone(), public_url }
    }

    /// Where mails go, for people.
    #[must_use]
    pub fn describe(&self, data_directory: Option<&Path>) -> String {
        match (&self.smtp_url, data_directory) {
            (Some(url), _) => url.to_string(),
            (None, Some(directory)) => directory.join("mail").display().to_string(),
            (None, None) => "none is sent".to_owned(),
        }
    }

    /// Who carries mails: the SMTP server, or else the folder `mail` in `data_directory`, or else nobody.
    ///
    /// # Errors
    ///
    /// As [`Smtp::new`] and [`Smtp::trusting`]; [`MailError::Authority`] when the file of the authority can't be read.
    pub fn mailer(&self, data_directory: Option<&Path>) -> Result<Box<dyn Mailer>, MailError> {
        Ok(match (&self.smtp_url, data_directory) {
            (Some(url), _) => Box::new(match &self.smtp_ca {
                Some(file) => {
                    let pem = fs::read(file).map_err(MailError::Authority)?;
                    Smtp::trusting(url.clone(), &pem)?
                }
                None => Smtp::new(url.clone())?,
            }),
            (None, Some(directory)) => Box::new(Folder::new(directory.join("mail"))),
            (None, None) => Box::new(Log),
        })
    }
}

fn parse_smtp_url(text: &str) -> Result<SmtpUrl, super::InvalidSmtpUrl> {
    text.parse()
}

fn parse_email(text: &str) -> Result<Email, simplebank_core::text::InvalidText> {
    text.parse()
}

fn parse_public_url(text: &str) -> Result<String, &'static str> {
    const RULE: &str = "expected http:// or https:// and a host, such as https://bank.example";
    let url = url::Url::parse(text).map_err(|_| RULE)?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    let is_bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if is_web && is_bare { Ok(url.as_str().trim_end_matches('/').to_owned()) } else { Err(RULE) }
}
