//! From the settings to what makes and verifies tokens.

#[cfg(test)]
mod tests;

use std::{path::PathBuf, str::FromStr};

use secrecy::{ExposeSecret as _, SecretString};
use simplebank::token::{
    ActiveKey, EdDsa, Hs256, KeyError, KeyRing, PasetoLocal, PasetoPublic, RingFull, SecretKey,
    SymmetricKey, TokenMaker,
};
use thiserror::Error;

use crate::{
    config::{Config, TokenKind},
    token_key::{self, Kept},
};

/// Why there is nothing to make tokens with. Keys are never part of the message.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("--token-symmetric-key (TOKEN_SYMMETRIC_KEY) is not usable")]
    Shared(#[source] KeyError),
    #[error("--token-secret-key (TOKEN_SECRET_KEY) is not usable")]
    Secret(#[source] KeyError),
    #[error("key number {number} of --token-verifying-keys (TOKEN_VERIFYING_KEYS) is not usable")]
    Verifying { number: usize, source: KeyError },
    #[error("--token-verifying-keys (TOKEN_VERIFYING_KEYS) has too many keys")]
    TooMany(#[source] RingFull),
    #[error(
        "--token-symmetric-key (TOKEN_SYMMETRIC_KEY) is set, but the --token-kind (TOKEN_KIND) takes \
         --token-secret-key (TOKEN_SECRET_KEY)"
    )]
    NeedsSecret,
    #[error(
        "--token-secret-key (TOKEN_SECRET_KEY) is set, but the --token-kind (TOKEN_KIND) takes \
         --token-symmetric-key (TOKEN_SYMMETRIC_KEY)"
    )]
    NeedsShared,
    #[error("no token key")]
    File(#[source] token_key::Error),
}

/// How many tokens are known to be genuine without being opened again: two tables of 2^14 places, seven of eight taken, with claims
/// some 10 MB.
const REMEMBERED: usize = 2 * 14_336;

/// The keys that the settings name, by what they are to make.
#[derive(Debug)]
pub(crate) enum Keys {
    Paseto(Named<SymmetricKey>),
    PasetoPublic(Named<SecretKey>),
    Jwt(Named<SymmetricKey>),
    JwtEddsa(Named<SecretKey>),
}

/// Keys of one type. The one that signs may still have to come from a file.
#[derive(Debug)]
pub(crate) struct Named<K: ActiveKey> {
    active: Option<K>,
    verifying: Vec<K::Verifying>,
}

impl Keys {
    /// Reads the keys in the settings, so that a wrong one is told before anything is started.
    pub(crate) fn from_settings(config: &Config) -> Result<Self, Error> {
        match config.token_kind {
            TokenKind::Paseto => shared(config).map(Self::Paseto),
            TokenKind::PasetoPublic => pair(config).map(Self::PasetoPublic),
            TokenKind::Jwt => shared(config).map(Self::Jwt),
            TokenKind::JwtEddsa => pair(config).map(Self::JwtEddsa),
        }
    }

    /// True if the key that signs has to come from a file.
    pub(crate) const fn needs_file(&self) -> bool {
        match self {
            Self::Paseto(keys) | Self::Jwt(keys) => keys.active.is_none(),
            Self::PasetoPublic(keys) | Self::JwtEddsa(keys) => keys.active.is_none(),
        }
    }

    /// What makes and verifies tokens; `directory` is asked for if a key has to come from a file.
    pub(crate) fn maker<E: From<Error>>(
        self,
        config: &Config,
        directory: impl FnOnce() -> Result<PathBuf, E>,
    ) -> Result<Box<dyn TokenMaker>, E> {
        let leeway = config.token_leeway;
        Ok(match self {
            Self::Paseto(keys) => {
                let maker = PasetoLocal::new(keys.ring(directory)?);
                Box::new(maker.with_leeway(leeway).remembering(REMEMBERED))
            }
            Self::PasetoPublic(keys) => {
                let maker = PasetoPublic::new(keys.ring(directory)?);
                Box::new(maker.with_leeway(leeway).remembering(REMEMBERED))
            }
            Self::Jwt(keys) => {
                let maker = Hs256::new(keys.ring(directory)?);
                Box::new(maker.with_leeway(leeway).remembering(REMEMBERED))
            }
            Self::JwtEddsa(keys) => {
                let maker = EdDsa::new(keys.ring(directory)?);
                Box::new(maker.with_leeway(leeway).remembering(REMEMBERED))
            }
        })
    }
}

fn shared(config: &Config) -> Result<Named<SymmetricKey>, Error> {
    if config.token_secret_key.is_some() {
        return Err(Error::NeedsShared);
    }
    let active = config.token_symmetric_key.as_ref();
    Named::of(active, &config.token_verifying_keys, Error::Shared)
}

fn pair(config: &Config) -> Result<Named<SecretKey>, Error> {
    if config.token_symmetric_key.is_some() {
        return Err(Error::NeedsSecret);
    }
    Named::of(config.token_secret_key.as_ref(), &config.token_verifying_keys, Error::Secret)
}

impl<K: ActiveKey + Kept> Named<K> {
    fn of(
        active: Option<&SecretString>,
        verifying: &[SecretString],
        unusable: fn(KeyError) -> Error,
    ) -> Result<Self, Error>
    where
        K::Verifying: FromStr<Err = KeyError>,
    {
        let active = active.map(|text| text.expose_secret().parse()).transpose();
        let verifying = verifying.iter().zip(1..).map(|(text, number)| {
            let parsed = text.expose_secret().trim().parse();
            parsed.map_err(|source| Error::Verifying { number, source })
        });
        let verifying = verifying.collect::<Result<Vec<_>, _>>()?;
        if verifying.len() >= KeyRing::<K>::KEYS_MAX {
            return Err(Error::TooMany(RingFull));
        }
        Ok(Self { active: active.map_err(unusable)?, verifying })
    }

    /// All keys. If the settings name none that signs, it is that of the data directory.
    fn ring<E: From<Error>>(
        self,
        directory: impl FnOnce() -> Result<PathBuf, E>,
    ) -> Result<KeyRing<K>, E> {
        let active = match self.active {
            Some(active) => active,
            None => token_key::load_or_create(&directory()?).map_err(Error::File)?,
        };
        let mut others = self.verifying.into_iter();
        let ring = others.try_fold(KeyRing::new(active), KeyRing::accepting);
        Ok(ring.map_err(Error::TooMany)?)
    }
}
