//! Genuine PASETOs whose footer is not exactly ours.

use simplebank_token::Error;

use crate::forge::{
    Format, NOW, claims, expected, footer, formats, key, local_with, object, other_key, public_with,
};

type Forge = fn(&str, Option<&[u8]>, Option<&[u8]>) -> String;

/// The format, a way to give its tokens any footer, and the id of its key.
fn pasetos() -> [(Format, Forge, String); 2] {
    let [local, public, ..] = formats();
    let ids = [key().shared.paserk_id(), key().pair.public_key().paserk_id()];
    let [lid, pid] = ids;
    [(local, local_with, lid), (public, public_with, pid)]
}

#[test]
fn a_footer_is_required_and_has_one_spelling() {
    for (format, forge, id) in pasetos() {
        let verdict = |footer: Option<&[u8]>, implicit: Option<&[u8]>| {
            let token = forge(&object(&format.members), footer, implicit);
            format.maker.verify(&token, &expected(&claims()), NOW).map(|_| ())
        };
        let own = footer(&id);
        assert_eq!(verdict(Some(own.as_bytes()), None), Ok(()));
        assert_eq!(verdict(Some(own.as_bytes()), Some(b"implicit")), Err(Error::Invalid));
        // As it was before keys had names.
        assert_eq!(verdict(None, None), Err(Error::Invalid));
        let stranger = other_key();
        let members = own.trim_matches(['{', '}']);
        for wrong in [
            String::new(),
            "{}".to_owned(),
            id.clone(),
            format!("{own} "),
            format!(" {own}"),
            own.replacen(':', ": ", 1),
            own.replacen("kid", r"\u006bid", 1),
            own.replacen("kid", "KID", 1),
            format!("{{{members},{members}}}"),
            format!(r#"{{{members},"wpk":"k4.local-wrap.pie.AAAA"}}"#),
            format!(r#"{{"kid":["{id}"]}}"#),
            format!(r#"["{id}"]"#),
            footer(""),
            footer("../../dev/null"),
            footer("' or '1'='1"),
            footer(&stranger.shared.paserk_id()),
            footer(&stranger.pair.public_key().paserk_id()),
            footer(&key().shared.thumbprint()),
            footer(&key().shared.to_paserk()),
            footer(&id.replace("k4", "k3")),
        ] {
            assert_eq!(verdict(Some(wrong.as_bytes()), None), Err(Error::Invalid), "{wrong:?}");
        }
    }
}

/// The footer is not encrypted, but authenticated.
#[test]
fn a_footer_cannot_be_taken_away_or_exchanged() {
    for (format, ..) in pasetos() {
        let token = format.maker.issue(&claims()).unwrap();
        let verdict =
            |token: &str| format.maker.verify(token, &expected(&claims()), NOW).map(|_| ());
        let (body, footer) = token.rsplit_once('.').unwrap();
        assert_eq!(verdict(&format!("{body}.{footer}")), Ok(()));
        for wrong in [
            body.to_owned(),
            format!("{body}."),
            format!("{body}..{footer}"),
            format!("{body}.{footer}.{footer}"),
            format!("{body}.{footer}="),
            format!("{body}={footer}"),
        ] {
            assert_eq!(verdict(&wrong), Err(Error::Invalid), "{wrong}");
        }
    }
}
