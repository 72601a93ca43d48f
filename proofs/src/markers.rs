//! The parts of a document that a program writes: between a comment that names them and `<!-- end -->`.

use std::ops::Range;

const END: &str = "<!-- end -->";

/// The document with `content` between the comment `<!-- name -->` and the next `<!-- end -->`.
///
/// # Errors
///
/// Says which of the two comments the document lacks.
pub fn replace(document: &str, name: &str, content: &str) -> Result<String, String> {
    let Range { start, end } = between(document, name)?;
    let (before, after) = (document.get(..start), document.get(end..));
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    Ok(format!("{before}\n\n{}\n\n{after}", content.trim()))
}

/// What stands between the comment `<!-- name -->` and the next `<!-- end -->`, without the space around it.
///
/// # Errors
///
/// Says which of the two comments the document lacks.
pub fn content<'a>(document: &'a str, name: &str) -> Result<&'a str, String> {
    let content = document.get(between(document, name)?).unwrap_or_default();
    Ok(content.trim())
}

fn between(document: &str, name: &str) -> Result<Range<usize>, String> {
    let begin = format!("<!-- {name} -->");
    let start = document.find(&begin).ok_or_else(|| format!("the document has no {begin}"))?;
    let start = start + begin.len();
    let rest = document.get(start..).unwrap_or_default();
    // The comment that begins another part can't stand inside this one.
    let length =
        rest.find("<!--").filter(|at| rest.get(*at..).is_some_and(|at| at.starts_with(END)));
    let length = length.ok_or_else(|| format!("no {END} follows {begin}"))?;
    Ok(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str =
        "# Title\n\n<!-- a -->\nold\n<!-- end -->\n\n<!-- b -->\n<!-- end -->\nrest\n";

    #[test]
    fn a_part_is_replaced_and_the_rest_stays() {
        let first = replace(DOCUMENT, "a", "new\n").unwrap();
        assert_eq!(first, DOCUMENT.replace("\nold\n", "\n\nnew\n\n"));
        assert_eq!(content(&first, "a").unwrap(), "new");
        assert_eq!(replace(&first, "a", "new").unwrap(), first);
        assert_eq!(content(&replace(&first, "b", "more").unwrap(), "b").unwrap(), "more");
    }

    #[test]
    fn a_missing_comment_is_named() {
        assert_eq!(replace(DOCUMENT, "c", "").unwrap_err(), "the document has no <!-- c -->");
        let unended = "<!-- a -->\n<!-- b -->\n<!-- end -->\n";
        assert_eq!(replace(unended, "a", "").unwrap_err(), "no <!-- end --> follows <!-- a -->");
    }
}
