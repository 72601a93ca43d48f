//! Which passwords somebody may choose: long ones that are not easy to guess (NIST SP 800-63B-4 §3.1.1.2).
//!
//! There are no rules of composition. A password is taken apart into what a guesser tries first: common words, also in capitals or with
//! digits for letters, words that belong to the bank or to the user, runs on the keyboard or in the alphabet, repetitions. Each such
//! piece counts as one character, a repetition as none, and [`OWN_MIN`] have to be left. So `Passw0rd12345678` counts two,
//! and `correct horse battery` more than enough.

use crate::{
    text::{InvalidText, check_length, check_rule},
    user::{Email, FullName, Username},
};

/// The shortest password, in characters.
pub const CHARACTERS_MIN: usize = 15;
/// The longest password, in characters: a longer one is refused before it costs a hash.
pub const CHARACTERS_MAX: usize = 128;
/// How many characters a password must have once each piece that is easily guessed counts as one.
pub const OWN_MIN: usize = 8;
/// The shortest word, and the shortest run, that is told from characters by chance.
const PIECE_MIN: usize = 3;

/// Commonest words of passwords that have leaked, and of the bank; in small letters.
const COMMON: &str = include_str!("password/common.txt");

/// What fingers do, each also backwards.
const WALKS: [&str; 9] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
];

/// Refuses a new password unless it has 15 to 128 characters, no control characters, and is not easy to guess, whoever it is for.
///
/// # Errors
///
/// [`InvalidText`] says what is wrong.
pub fn check(password: &str) -> Result<(), InvalidText> {
    check_length(password, CHARACTERS_MIN, CHARACTERS_MAX)?;
    check_rule(!password.chars().any(char::is_control), "hold no control characters")?;
    check_own(password, &[])
}

/// Refuses a new password that is easy to guess for who knows its user.
///
/// # Errors
///
/// [`InvalidText`] says so.
pub fn check_for(
    password: &str,
    username: &Username,
    full_name: &FullName,
    email: &Email,
) -> Result<(), InvalidText> {
    let texts = [username.as_str(), full_name.as_str(), email.as_str()];
    let mut words: Vec<Vec<char>> = Vec::new();
    for text in texts {
        let text = text.to_lowercase();
        words.push(text.chars().collect());
        words.extend(text.split(|c: char| !c.is_alphanumeric()).map(|word| word.chars().collect()));
        words.extend(text.split(|c: char| !c.is_alphabetic()).map(|word| word.chars().collect()));
    }
    words.retain(|word| word.len() >= PIECE_MIN);
    check_own(password, &words)
}

fn check_own(password: &str, words: &[Vec<char>]) -> Result<(), InvalidText> {
    let rule = "not be made of common words, your name or address, runs or repetitions";
    check_rule(own_characters(password, words) >= OWN_MIN, rule)
}

/// The fewest characters and easily guessed pieces that the password is made of.
fn own_characters(password: &str, words: &[Vec<char>]) -> usize {
    let text: Vec<char> = password.to_lowercase().chars().collect();
    let spelled: Vec<char> = text.iter().copied().map(letter_for).collect();
    let common = COMMON.lines().map(|word| word.chars().collect());
    let words: Vec<Vec<char>> = common.chain(words.iter().cloned()).collect();
    let mut fewest = vec![usize::MAX; text.len().saturating_add(1)];
    if let Some(start) = fewest.first_mut() {
        *start = 0;
    }
    for at in 0..text.len() {
        let so_far = fewest.get(at).copied().unwrap_or(0);
        let (rest, rest_spelled) = (tail(&text, at), tail(&spelled, at));
        let mut reach = |length: usize, cost: usize| {
            if let Some(there) = fewest.get_mut(at.saturating_add(length)) {
                *there = (*there).min(so_far.saturating_add(cost));
            }
        };
        reach(1, 1);
        for word in &words {
            if rest.starts_with(word) || rest_spelled.starts_with(word) {
                reach(word.len(), 1);
            }
        }
        for length in PIECE_MIN..=run_length(rest) {
            reach(length, 1);
        }
        for length in 1..=at.min(rest.len()) {
            let before = tail(text.get(..at).unwrap_or_default(), at.saturating_sub(length));
            if rest.starts_with(before) {
                reach(length, 0);
            }
        }
    }
    fewest.last().copied().unwrap_or(0)
}

fn tail(text: &[char], at: usize) -> &[char] {
    text.get(at..).unwrap_or_default()
}

/// The letter that somebody means who writes a digit or a sign that looks like it.
const fn letter_for(character: char) -> char {
    match character {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' | '€' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        '8' => 'b',
        other => other,
    }
}

/// How far the text begins with a run on one of the [`WALKS`].
fn run_length(text: &[char]) -> usize {
    let forwards = WALKS.iter().map(|walk| walk.chars().collect());
    let backwards = WALKS.iter().map(|walk| walk.chars().rev().collect());
    let runs = forwards.chain(backwards).map(|walk: Vec<char>| {
        let begins = (0..walk.len()).map(|at| tail(&walk, at));
        let lengths = begins.map(|walk| walk.iter().zip(text).take_while(|(a, b)| a == b).count());
        lengths.max().unwrap_or(0)
    });
    runs.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn passwords_are_long_and_not_endless() {
        assert!(check("fifteen letters").is_ok());
        let long: String = "zürich tälern über".chars().cycle().take(128).collect();
        assert!(check(&long).is_ok());
        for bad in ["", "short", &format!("{long}x"), "fifteen letters\0"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for bad in [
            "passwordpassword",
            "Password12345678",
            "P@ssw0rdP@ssw0rd!",
            "123456789012345",
            "aaaaaaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "qwertyuiopasdfghjkl",
            "1qaz2wsx3edc4rfv",
            "1q2w3e4r5t6y7u8i",
            "iloveyouiloveyou",
            "SimpleBank2026!!",
            "simplebanksimplebank",
            "welcometothebank1",
            "letmeinletmein123",
            "zyxwvutsrqponmlkjihg",
            "monkey dragon football",
            "               ",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        for good in [
            "correct horse battery",
            "staple battery horse",
            "my bank is a simple one",
            "Zwölf Boxkämpfer jagen",
            "vQ3f9-xk2Lw-88aTz",
            "dontusethispassphrase",
        ] {
            assert!(check(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_users_own_words_are_easily_guessed() {
        let for_alice = |password: &str| {
            let (name, email) = ("Alice Wonderland-Doe", "a.liddell+bank@rabbithole.example");
            let (name, email) = (name.parse().expect("a name"), email.parse().expect("an address"));
            check_for(password, &"alice_1865".parse().expect("a username"), &name, &email)
        };
        for bad in [
            "alice_1865alice_1865",
            "AliceWonderland1",
            "wonderlandliddell",
            "liddell@rabbithole",
            "a.liddell+bank@rabbithole.example",
            "Alice1865!Alice1865!",
        ] {
            assert!(for_alice(bad).is_err(), "{bad:?}");
        }
        // Those words are as good as any for somebody else, and with enough beside them for alice.
        assert!(check("wonderlandliddell").is_ok());
        assert!(for_alice("alice has seen a queen").is_ok());
    }

    proptest! {
        /// Whatever is typed is judged, and quickly.
        #[test]
        fn every_text_is_judged(text in "\\PC{0,200}") {
            let _ = check(&text);
        }

        /// Random passwords, as programs make them, are not refused.
        #[test]
        fn random_passwords_are_taken(text in "[a-zA-Z0-9]{20}") {
            prop_assert!(check(&text).is_ok());
        }

        /// Saying it again makes nothing harder to guess.
        #[test]
        fn repeating_adds_nothing(word in "[a-z]{1,7}") {
            prop_assert!(check(&word.repeat(15)).is_err());
        }
    }
}
