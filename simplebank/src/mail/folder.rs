//! Mail into a folder.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::{Mail, MailError, Mailer};

/// Writes each mail into a file of its own, `<job>.eml`, which only the owner of this process can read: there are codes in them.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`; it is made with the first mail.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

#[async_trait]
impl Mailer for Folder {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = mail.message()?.formatted();
        let (folder, name) = (self.0.clone(), mail.job.to_string());
        let written = tokio::task::spawn_blocking(move || write(&folder, &name, &message)).await;
        written.map_err(|error| MailError::Folder(error.into()))?.map_err(MailError::Folder)
    }
}

/// Writes the whole file or none; the same name again is the same mail again.
fn write(folder: &Path, name: &str, message: &[u8]) -> io::Result<()> {
    let mut make = fs::DirBuilder::new();
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        make.mode(0o700);
        open.mode(0o600);
    }
    make.recursive(true).create(folder)?;
    let part = folder.join(format!("{name}.part"));
    let mut file = open.open(&part)?;
    file.write_all(message)?;
    file.sync_all()?;
    fs::rename(part, folder.join(format!("{name}.eml")))
}
