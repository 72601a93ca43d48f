//! The constraints of `migrations/` that the bank reacts to. Any other violation is a defect.

/// A named constraint of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// `users_username_key`: one user per name.
    UsersUsername,
    /// `accounts_owner_currency_key`: one account per owner and currency.
    AccountsOwnerCurrency,
    /// `idempotency_pk`: one answer per owner and key. Somebody else has just recorded one.
    IdempotencyKey,
}

impl Constraint {
    const ALL: [Self; 3] = [Self::UsersUsername, Self::AccountsOwnerCurrency, Self::IdempotencyKey];

    /// The name in the schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UsersUsername => "users_username_key",
            Self::AccountsOwnerCurrency => "accounts_owner_currency_key",
            Self::IdempotencyKey => "idempotency_pk",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|constraint| constraint.name() == name)
    }
}
