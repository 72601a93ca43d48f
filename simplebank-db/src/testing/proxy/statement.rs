//! As much of SQL as it takes to know what a client's text does to its transaction.
//!
//! The text is cut into statements at each `;` outside of literals, quoted names, dollar quotes and comments; then the first
//! words of each statement decide. Three things are beyond it: bodies of functions in the form `begin atomic …; end`, a
//! COMMIT inside a procedure or a `do` block, and `standard_conforming_strings = off`.

use std::ops::BitOr;

/// A statement's first words that are looked at: `rollback work to` is the longest that matters.
const WORDS_MAX: usize = 3;

/// What a text holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// BEGIN or START TRANSACTION.
    pub(super) begins: bool,
    /// COMMIT or END.
    pub(super) commits: bool,
    /// ROLLBACK or ABORT of the whole transaction.
    pub(super) rolls_back: bool,
    /// Any other statement, savepoints included.
    pub(super) others: bool,
    /// One of the others that writes, so that it is its own COMMIT where there is no transaction. What functions do can't be seen,
    /// but for `simplebank.post` and `simplebank.post_one`.
    pub(super) writes: bool,
}

impl Contents {
    pub(super) fn of(sql: &str) -> Self {
        let mut contents = Self::default();
        let mut words: Vec<String> = Vec::new();
        let mut is_empty = true;
        for token in Tokens(sql) {
            match token {
                Token::Space => continue,
                Token::Semicolon => {
                    contents = contents | Self::of_statement(&words, is_empty);
                    words.clear();
                    is_empty = true;
                    continue;
                }
                Token::Word(word) if words.len() < WORDS_MAX => words.push(word.to_lowercase()),
                Token::Word(_) | Token::Other => {}
            }
            is_empty = false;
        }
        contents | Self::of_statement(&words, is_empty)
    }

    /// True when it does nothing but run statements inside whatever transaction there is.
    pub(super) const fn is_plain(self) -> bool {
        self.others && !self.begins && !self.commits && !self.rolls_back
    }

    fn of_statement(words: &[String], is_empty: bool) -> Self {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let nothing = Self::default();
        match words.as_slice() {
            [] if is_empty => nothing,
            ["commit" | "end" | "rollback", "prepared", ..]
            | ["rollback", "to", ..]
            | ["rollback", "work" | "transaction", "to"] => Self { others: true, ..nothing },
            ["begin", ..] | ["start", "transaction", ..] => Self { begins: true, ..nothing },
            ["commit" | "end", ..] => Self { commits: true, ..nothing },
            ["rollback" | "abort", ..] => Self { rolls_back: true, ..nothing },
            ["insert" | "update" | "delete" | "merge", ..]
            | ["select", "simplebank", "post" | "post_one"] => {
                Self { others: true, writes: true, ..nothing }
            }
            _ => Self { others: true, ..nothing },
        }
    }
}

impl BitOr for Contents {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            begins: self.begins || other.begins,
            commits: self.commits || other.commits,
            rolls_back: self.rolls_back || other.rolls_back,
            others: self.others || other.others,
            writes: self.writes || other.writes,
        }
    }
}

/// A piece of SQL.
enum Token<'s> {
    /// White space or a comment.
    Space,
    Semicolon,
    /// A keyword or an unquoted name.
    Word(&'s str),
    /// A literal, a quoted name, a number, an operator.
    Other,
}

/// The pieces of what is left of a text.
struct Tokens<'s>(&'s str);

impl<'s> Iterator for Tokens<'s> {
    type Item = Token<'s>;

    fn next(&mut self) -> Option<Token<'s>> {
        let text = self.0;
        let first = text.chars().next()?;
        let length = match first {
            _ if first.is_whitespace() => first.len_utf8(),
            '-' if text.starts_with("--") => text.find('\n').unwrap_or(text.len()),
            '/' if text.starts_with("/*") => comment(text),
            'e' | 'E' if text.chars().nth(1) == Some('\'') => literal_with_escapes(text),
            '\'' | '"' => quoted(text, first),
            '$' => dollar_quoted(text),
            _ if is_of_word(first) => text.find(|c| !is_of_word(c)).unwrap_or(text.len()),
            _ => first.len_utf8(),
        };
        let (piece, rest) = text.split_at(length);
        self.0 = rest;
        Some(match first {
            _ if first.is_whitespace() || piece.starts_with("--") || piece.starts_with("/*") => {
                Token::Space
            }
            ';' => Token::Semicolon,
            _ if piece.chars().all(is_of_word) && !first.is_ascii_digit() => Token::Word(piece),
            _ => Token::Other,
        })
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a comment that begins here; comments nest.
fn comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        match (c, next) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth = depth.saturating_sub(1),
            _ => continue,
        }
        characters.next();
        if depth == 0 {
            return at + 2;
        }
    }
    text.len()
}

/// The length of a literal or quoted name that begins here. A doubled quote begins another one, which changes nothing.
fn quoted(text: &str, quote: char) -> usize {
    let end = text.char_indices().skip(1).find(|(_, c)| *c == quote);
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// The length of a literal like `e'\''` that begins here.
fn literal_with_escapes(text: &str) -> usize {
    let mut characters = text.char_indices().skip(2).peekable();
    while let Some((at, c)) = characters.next() {
        let is_doubled = characters.peek().is_some_and(|(_, next)| *next == '\'');
        match c {
            '\'' if !is_doubled => return at + 1,
            '\'' | '\\' => _ = characters.next(),
            _ => {}
        }
    }
    text.len()
}

/// The length of a literal like `$tag$ … $tag$` that begins here; 1 if none does.
fn dollar_quoted(text: &str) -> usize {
    let Some(end_of_tag) = text.char_indices().skip(1).find(|(_, c)| !is_of_word(*c)) else {
        return text.len();
    };
    if end_of_tag.1 != '$' {
        return 1;
    }
    let (tag, rest) = text.split_at(end_of_tag.0 + 1);
    rest.find(tag).map_or(text.len(), |at| tag.len() + at + tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Contents =
        Contents { begins: false, commits: false, rolls_back: false, others: false, writes: false };
    const COMMITS: Contents = Contents { commits: true, ..NOTHING };
    const OTHERS: Contents = Contents { others: true, ..NOTHING };

    #[test]
    fn a_commit_is_a_statement_that_begins_with_the_word() {
        for sql in ["COMMIT", "end", " /* a ; /* b */ */ Commit work;", "-- note\ncommit and chain"]
        {
            assert_eq!(Contents::of(sql), COMMITS, "{sql}");
        }
        let checked = Contents::of("select 1; commit and chain");
        assert_eq!(checked, Contents { commits: true, others: true, ..NOTHING });
    }

    #[test]
    fn the_word_elsewhere_is_no_commit() {
        for sql in [
            "insert into notes values (1, 'x; commit')",
            "select 'it''s; commit'",
            r"select e'it\'s; commit; '';commit;'",
            "select $$; commit; $$, $a_1$; $$; commit $a_1$, $1",
            r#"select 1 as "a; commit""#,
            "select 1 -- ; \n , 2 /* ; commit */",
            "select commit from ends",
            "savepoint commit",
            "release savepoint a",
            "commit prepared 'a'",
            "rollback to a",
            "rollback work to savepoint a",
            "committed",
            "(select 1)",
        ] {
            assert_eq!(Contents { writes: false, ..Contents::of(sql) }, OTHERS, "{sql}");
        }
    }

    #[test]
    fn what_writes_is_told_by_its_first_words() {
        for sql in [
            "insert into notes values (1)",
            " DELETE from notes",
            "select simplebank.post($1)",
            "select simplebank.post_one($1)",
        ] {
            assert_eq!(Contents::of(sql), Contents { writes: true, ..OTHERS }, "{sql}");
        }
        for sql in ["select 'insert'", "select simplebank.other()", "savepoint insert"] {
            assert_eq!(Contents::of(sql), OTHERS, "{sql}");
        }
    }

    #[test]
    fn beginnings_and_ends_are_told_apart_and_emptiness_is_nothing() {
        for sql in ["begin isolation level serializable", "START TRANSACTION"] {
            assert_eq!(Contents::of(sql), Contents { begins: true, ..NOTHING }, "{sql}");
        }
        for sql in ["rollback", "abort", "ROLLBACK AND CHAIN"] {
            assert_eq!(Contents::of(sql), Contents { rolls_back: true, ..NOTHING }, "{sql}");
        }
        for sql in ["", " ; ;", "-- commit", "/* commit"] {
            assert_eq!(Contents::of(sql), NOTHING, "{sql}");
        }
    }
}
