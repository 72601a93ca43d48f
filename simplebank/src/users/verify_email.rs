//! Showing that an e-mail address is one's own: a code is sent there, and whoever brings it back can read what is sent there.

use sha2::{Digest as _, Sha256};
use simplebank_core::{
    JobId, Principal, UserId, VerificationId,
    user::{Email, User},
    verification::{Code, REQUESTS_MAX, REQUESTS_WITHIN, Verdict},
};
use simplebank_db::{
    self as db, Tx, TxSpec, users,
    verifications::{self, Verification},
};
use time::OffsetDateTime;

use crate::{
    Bank, Error,
    jobs::{self, Work},
    ports::{new_id, random_bytes},
};

const REQUEST_VERIFICATION: TxSpec = TxSpec::read_committed("request_email_verification");
const VERIFY_EMAIL: TxSpec = TxSpec::read_committed("verify_email");
const FIND_VERIFICATION: TxSpec = TxSpec::read_committed("find_email_verification").read_only();

/// What differs between two attempts at the same request, made before the transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    verification: VerificationId,
    job: JobId,
    now: OffsetDateTime,
}

impl Names {
    pub(super) fn new(now: OffsetDateTime) -> Result<Self, Error> {
        Ok(Self { verification: new_id(now)?, job: new_id(now)?, now })
    }
}

/// A code that nobody can foresee.
pub(crate) fn fresh_code() -> Result<Code, Error> {
    Ok(Code::from_bytes(random_bytes()?))
}

/// What is kept of a code.
pub(crate) fn code_hash(id: VerificationId, code: &Code) -> [u8; 32] {
    Sha256::new()
        .chain_update(id.as_uuid().as_bytes())
        .chain_update(code.as_bytes())
        .finalize()
        .into()
}

/// Stores a request and the job that sends the code, to vanish or commit together.
pub(super) async fn request(
    tx: &mut Tx<'_>,
    names: &Names,
    user_id: UserId,
    email: &Email,
) -> Result<(), db::Error> {
    let Names { verification: id, job, now } = *names;
    verifications::insert(tx, &Verification { id, user_id, email: email.clone() }, now).await?;
    jobs::enqueue(tx, job, &Work::verify_email(id), now).await
}

/// Refuses another code to who was sent so many within a day. The user is locked, so that of several who ask at once each is
/// counted.
pub(super) async fn admit(tx: &mut Tx<'_>, names: &Names, user: UserId) -> Result<(), Error> {
    // In range: the clock's years are.
    let since = names.now.saturating_sub(REQUESTS_WITHIN);
    verifications::forget_before(tx, user, since).await?;
    if verifications::count(tx, user).await? >= REQUESTS_MAX {
        return Err(Error::TooManyCodes);
    }
    Ok(())
}

impl Bank {
    /// Sends the caller another code, unless their address is verified already: then nothing happens.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyCodes`] after [`REQUESTS_MAX`] within [`REQUESTS_WITHIN`]; [`Error::NotFound`] if the user is gone.
    pub async fn request_email_verification(&self, by: &Principal) -> Result<(), Error> {
        let names = Names::new(self.now())?;
        let requested = self.db().transact(REQUEST_VERIFICATION, async |tx| {
            let user = users::lock(tx, by.id()).await?;
            let user = user.ok_or(Error::NotFound { what: "user" })?;
            if user.email_verified_at.is_some() {
                return Ok(());
            }
            admit(tx, &names, user.id).await?;
            Ok(request(tx, &names, user.id, &user.email).await?)
        });
        requested.await
    }

    /// Takes a code back that was sent for a request: its address is its user's then. That can be shown once.
    ///
    /// # Errors
    ///
    /// [`Error::WrongCode`], whether there is no such request, the code is another or too old, was used before, or too many others
    /// were tried: all look alike.
    pub async fn verify_email(&self, id: VerificationId, code: &Code) -> Result<(), Error> {
        let (now, code_hash) = (self.now(), code_hash(id, code));
        let verified = self.db().transact(VERIFY_EMAIL, async |tx| {
            let Some((verification, attempt)) =
                verifications::lock(tx, id, &code_hash, now).await?
            else {
                return Ok(false);
            };
            match attempt.judge() {
                Verdict::Closed => Ok::<_, db::Error>(false),
                Verdict::Wrong => {
                    verifications::count_try(tx, id).await?;
                    Ok(false)
                }
                Verdict::Accepted => {
                    verifications::use_up(tx, id, now).await?;
                    let Verification { user_id, email, .. } = verification;
                    users::set_email_verified(tx, user_id, &email, now).await
                }
            }
        });
        if verified.await? {
            // Whoever is asked about next is to be seen with it.
            self.logins().forget();
            Ok(())
        } else {
            Err(Error::WrongCode)
        }
    }

    /// [`verify_email`](Self::verify_email) with a code that the caller has typed, for their newest request; returns the user.
    ///
    /// # Errors
    ///
    /// As [`verify_email`](Self::verify_email); [`Error::NotFound`] if the user is gone.
    pub async fn verify_own_email(&self, by: &Principal, code: &Code) -> Result<User, Error> {
        let newest = self
            .db()
            .transact(FIND_VERIFICATION, async |tx| verifications::newest(tx, by.id()).await);
        let id = newest.await?.ok_or(Error::WrongCode)?;
        self.verify_email(id, code).await?;
        self.me(by).await
    }
}
