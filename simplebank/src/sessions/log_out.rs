//! Logging out.

use simplebank_core::SessionId;
use simplebank_db::{TxSpec, sessions};

use crate::{Bank, Error};

const LOG_OUT: TxSpec = TxSpec::read_committed("log_out");

impl Bank {
    /// Ends a session and all its tokens; ending it twice changes nothing.
    ///
    /// # Errors
    ///
    /// Only what befalls the database.
    pub async fn log_out(&self, session: SessionId) -> Result<(), Error> {
        let now = self.now();
        let ended =
            self.db().transact(LOG_OUT, async |tx| sessions::revoke(tx, session, now).await).await;
        self.logins().forget();
        Ok(ended?)
    }
}
