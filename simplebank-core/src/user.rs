//! Users: their names and addresses, parsed once.

use std::{fmt, str::FromStr};

use time::OffsetDateTime;

use crate::{
    Principal, Role, UserId,
    text::{InvalidText, check_length, check_rule, is_deceptive},
};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $check:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                let check: fn(&str) -> Result<(), InvalidText> = $check;
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }
    )+};
}

texts! {
    /// A login name: 3 to 32 characters, lower-case ASCII letters, digits and `_`, beginning with a letter.
    ///
    /// So narrow, no two names look alike.
    Username, |text| {
        check_length(text, 3, 32)?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        check_rule(
            text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(allowed),
            "begin with a letter and hold only a-z, 0-9 and _",
        )
    };
    /// What somebody is called: 1 to 100 characters, no control or invisible ones, no space at either end.
    FullName, |text| {
        check_length(text, 1, 100)?;
        check_rule(!text.chars().any(is_deceptive), "hold no control or invisible characters")?;
        check_rule(text.trim() == text, "not begin or end with a space")
    };
    /// An e-mail address in the common form `local@domain`: 3 to 254 characters (RFC 5321 §4.5.3.1.3), without quotes,
    /// comments or spaces.
    Email, |text| {
        check_length(text, 3, 254)?;
        let rule = "be an e-mail address such as alice@example.org";
        let (local, domain) = text.rsplit_once('@').unwrap_or_default();
        check_rule(is_dot_atom(local) && local.len() <= 64 && is_domain(domain), rule)
    };
}

/// True for RFC 5322 §3.2.3's `dot-atom-text` in ASCII.
fn is_dot_atom(text: &str) -> bool {
    let special = b"!#$%&'*+/=?^_`{|}~-";
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom.bytes().all(|byte| byte.is_ascii_alphanumeric() || special.contains(&byte))
    };
    text.split('.').all(is_atom)
}

/// True for a host name of at least two labels (RFC 1123 §2.1).
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.contains('.') && text.split('.').all(is_label)
}

/// Somebody who can log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Names the user.
    pub id: UserId,
    /// The login name; unique.
    pub username: Username,
    /// What they are called.
    pub full_name: FullName,
    /// Where to write to them; not unique, and nothing is known of it until it is verified.
    pub email: Email,
    /// When they showed that the address is theirs.
    pub email_verified_at: Option<OffsetDateTime>,
    /// What they are to the bank.
    pub role: Role,
    /// When the password was last set.
    pub password_changed_at: OffsetDateTime,
    /// When the user registered.
    pub created_at: OffsetDateTime,
}

impl User {
    /// The user as one who asks. Only who has made sure of their identity should call it.
    #[must_use]
    pub fn principal(&self) -> Principal {
        Principal::User { id: self.id, username: self.username.clone(), role: self.role }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_narrow() {
        for good in ["alice", "bob_2", "abc", &"a".repeat(32)] {
            assert!(good.parse::<Username>().is_ok(), "{good}");
        }
        for bad in
            ["", "ab", "Alice", "1abc", "_abc", "al ice", "al\0ice", "аlice", &"a".repeat(33)]
        {
            assert!(bad.parse::<Username>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn full_names_deceive_nobody() {
        for good in ["A", "Alice Doe", "Łukasz 王", &"é".repeat(100)] {
            assert!(good.parse::<FullName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            " Alice",
            "Alice\n",
            "A\0",
            "A\u{202e}B",
            "A\u{200b}",
            "\u{3164}",
            "a\u{61c}b",
            "\u{e0041}",
            &"a".repeat(101),
        ] {
            assert!(bad.parse::<FullName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn emails_have_the_common_form() {
        for good in ["a@b.cd", "alice+bank@mail.example.org", "o'hara@x-y.io"] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "alice",
            "@b.cd",
            "a@",
            "a@b",
            "a@@b.cd",
            "a b@c.de",
            "a@b..cd",
            ".a@b.cd",
            "a.@b.cd",
            "a@-b.cd",
            "a@b.cd\r\nBcc: x@y.zz",
            "\"a b\"@c.de",
            "a\0@b.cd",
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
    }
}
