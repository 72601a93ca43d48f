//! Any altered character makes a token invalid, and no token has two spellings.

use simplebank_token::{Error, TokenMaker};

use crate::forge::{NOW, claims, expected, key, makers, other_key};

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn verdict(maker: &dyn TokenMaker, token: &str) -> Result<(), Error> {
    maker.verify(token, &expected(&claims()), NOW).map(|_| ())
}

#[test]
fn every_altered_character_is_refused() {
    for maker in makers(&key()) {
        let token = maker.issue(&claims()).unwrap();
        assert_eq!(verdict(&*maker, &token), Ok(()));
        for (at, original) in token.char_indices() {
            for other in ['A', 'B', 'a', '0', '_', '.', '=', '+', ' ', '\0', 'é'] {
                let altered = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                let verdict = verdict(&*maker, &altered);
                assert!(other == original || verdict == Err(Error::Invalid), "{at}: {altered}");
            }
            let shorter = format!("{}{}", &token[..at], &token[at + 1..]);
            assert_eq!(verdict(&*maker, &shorter), Err(Error::Invalid), "{at}: {shorter}");
            assert_eq!(verdict(&*maker, &token[..at]), Err(Error::Invalid), "{at}");
        }
    }
}

#[test]
fn every_altered_bit_is_refused() {
    for maker in makers(&key()) {
        let token = maker.issue(&claims()).unwrap();
        for at in 0..token.len() {
            // With the eighth bit it would be no text.
            for bit in 0..7 {
                let mut altered = token.clone().into_bytes();
                altered[at] ^= 1 << bit;
                let altered = String::from_utf8(altered).expect("it is ASCII");
                assert_eq!(verdict(&*maker, &altered), Err(Error::Invalid), "{at}: {altered}");
            }
        }
    }
}

/// The last character of a base64 part may have unused bits; a lenient reader takes up to 16 characters for the same.
#[test]
fn the_last_character_of_each_part_has_one_spelling() {
    for maker in makers(&key()) {
        // The length of the claims decides how many bits are unused, so three lengths are tried.
        for issuer in ["i", "is", "iss"] {
            let mut claims = claims();
            issuer.clone_into(&mut claims.issuer);
            let verdict = |token: &str| maker.verify(token, &expected(&claims), NOW).map(|_| ());
            let token = maker.issue(&claims).unwrap();
            assert_eq!(verdict(&token), Ok(()));
            let dots = token.match_indices('.').map(|(at, _)| at);
            for last in dots.chain([token.len()]).map(|end| end - 1) {
                for other in BASE64URL.map(char::from) {
                    let altered = format!("{}{other}{}", &token[..last], &token[last + 1..]);
                    let verdict = verdict(&altered);
                    assert!(altered == token || verdict == Err(Error::Invalid), "{altered}");
                }
            }
        }
    }
}

#[test]
fn nothing_may_be_put_around_or_between() {
    for maker in makers(&key()) {
        let token = maker.issue(&claims()).unwrap();
        let (start, third) = token.rsplit_once('.').expect("there are dots");
        let (first, second) = start.rsplit_once('.').expect("there are two");
        for altered in [
            String::new(),
            format!(" {token}"),
            format!("{token} "),
            format!("{token}\n"),
            format!("{token}\0"),
            format!("{token}="),
            format!("{token}=="),
            format!("{token}."),
            format!("{token}.."),
            format!("{token}.e30"),
            format!("{token}A"),
            format!(".{token}"),
            format!("{first}..{second}.{third}"),
            format!("{first}={second}.{third}"),
            format!("{first}=.{second}.{third}"),
            format!("{first}.{second}=.{third}"),
            format!("{first}.{second}==.{third}"),
            format!("{first}.{second} .{third}"),
            format!("{first}.\n{second}.{third}"),
            format!("{first}.{second}."),
            format!("{first}.{second}"),
            format!("{first}..{third}"),
            format!("Bearer {token}"),
            format!("\u{feff}{token}"),
            token.to_uppercase(),
            token.to_lowercase(),
        ] {
            assert_eq!(verdict(&*maker, &altered), Err(Error::Invalid), "{altered:?}");
        }
        assert_eq!(verdict(&*maker, &token), Ok(()));
    }
}

/// Also where the bytes of the keys are the same.
#[test]
fn only_the_maker_and_the_key_of_a_token_accept_it() {
    let (own, others) = (makers(&key()), makers(&other_key()));
    for (at, maker) in own.iter().enumerate() {
        let token = maker.issue(&claims()).unwrap();
        for (stranger_at, stranger) in own.iter().chain(&others).enumerate() {
            let verdict = verdict(&**stranger, &token);
            assert_eq!(verdict.is_ok(), stranger_at == at, "{maker:?} for {stranger:?}");
            assert!(verdict != Err(Error::Expired));
        }
    }
}

/// What is under the protection of one format, under the name of another.
#[test]
fn a_token_does_not_pass_under_the_header_of_another_format() {
    let tokens = makers(&key()).map(|maker| maker.issue(&claims()).unwrap());
    let starts = tokens.each_ref().map(|token| {
        let dots = token.match_indices('.').map(|(at, _)| at + 1).collect::<Vec<_>>();
        // PASETO's header has a dot of its own.
        token.split_at(dots[usize::from(token.starts_with("v4."))])
    });
    for (maker, (own, _)) in makers(&key()).iter().zip(starts) {
        for (start, rest) in starts {
            let spliced = format!("{own}{rest}");
            assert_eq!(verdict(&**maker, &spliced).is_ok(), own == start, "{spliced}");
        }
    }
}
