//! Connection URLs: made for local clusters, and described for people without their secrets.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The superuser of every cluster this crate makes.
pub(crate) const SUPERUSER: &str = "postgres";

/// The port that names the socket file (`.s.PGSQL.5432`); nothing listens on TCP.
pub(crate) const PORT: u16 = 5432;

/// The URL of a database behind a Unix socket.
///
/// Host, port and `sslmode` are spelled out, so that `PGPORT` or `PGSSLMODE` in the environment of the client don't
/// turn the URL into another one.
pub(crate) fn local(socket_dir: &Path, password: Option<&str>, database: &str) -> String {
    let mut url = format!("postgres://{SUPERUSER}");
    if let Some(password) = password {
        url.push(':');
        push_encoded(&mut url, password.as_bytes());
    }
    let _ = write!(url, "@localhost:{PORT}/"); // writing to a String cannot fail
    push_encoded(&mut url, database.as_bytes());
    url.push_str("?host=");
    push_encoded(&mut url, socket_dir.as_os_str().as_bytes());
    url.push_str("&sslmode=disable");
    url
}

/// Appends `bytes` with everything percent-encoded that has, or could have, a meaning in a URL.
fn push_encoded(url: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}"); // writing to a String cannot fail
        }
    }
}

/// Host, port and database of a URL, for people: never a user, a password or a parameter.
///
/// A URL that is not plainly `scheme://[user[:password]@]host[:port][/database][?…]` gives `None`, because a
/// password with an unescaped `/` or `?` could otherwise be taken for a host.
#[cfg(feature = "clap")]
pub(crate) fn without_secrets(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let base = rest.split_once('?').map_or(rest, |(base, _query)| base);
    if rest.matches('@').count() != base.matches('@').count() || base.matches('@').count() > 1 {
        return None;
    }
    let place = base.split_once('@').map_or(base, |(_user, place)| place);
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "-_.%".contains(c));
    let known = matches!(scheme, "postgres" | "postgresql")
        && plain(host)
        && plain(database)
        && port.chars().all(|c| c.is_ascii_digit());
    known.then(|| format!("{scheme}://{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_url_encodes_every_part() {
        assert_eq!(
            local(Path::new("/tmp/a b+c"), Some("p@ss/w:rd"), "simple?bank"),
            "postgres://postgres:p%40ss%2Fw%3Ard@localhost:5432/simple%3Fbank?host=%2Ftmp%2Fa%20b%2Bc&sslmode=disable"
        );
        assert_eq!(
            local(Path::new("/tmp/x"), None, "postgres"),
            "postgres://postgres@localhost:5432/postgres?host=%2Ftmp%2Fx&sslmode=disable"
        );
    }

    #[cfg(feature = "clap")]
    #[test]
    fn a_described_url_has_no_secret_in_it() {
        for (url, shown) in [
            ("postgres://u:secret@db.example:5433/bank", Some("postgres://db.example:5433/bank")),
            (
                "postgresql://u:secret@localhost/bank?password=secret",
                Some("postgresql://localhost/bank"),
            ),
            ("postgres://localhost:5432/bank", Some("postgres://localhost:5432/bank")),
            ("postgres:///bank?host=/run&password=secret", Some("postgres:///bank")),
            ("postgres://u:sec/ret@host/bank", Some("postgres://host/bank")),
            ("postgres://u:sec?ret@host/bank", None),
            ("postgres://u:sec@ret@host/bank", None),
            ("postgres://u:se/c@ret/host/bank", None),
            ("postgres://host/bank?options=a@secret", None),
            ("postgres://u:secret", None),
            ("host=localhost password=secret", None),
        ] {
            assert_eq!(without_secrets(url).as_deref(), shown, "{url}");
        }
    }
}
