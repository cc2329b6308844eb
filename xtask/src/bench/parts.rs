//! A document of which commands write parts and people the rest.
//!
//! A part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.

use std::fs;
use std::path::Path;

use crate::Result;

/// Replaces a part of a file.
///
/// # Errors
/// The file cannot be read or written, or has no such part.
pub fn write(path: &Path, name: &str, part: &str) -> Result {
    let text = fs::read_to_string(path)?;
    let text = replaced(&text, name, part)
        .ok_or_else(|| format!("{} has no part named {name}", path.display()))?;
    Ok(fs::write(path, text)?)
}

fn replaced(text: &str, name: &str, part: &str) -> Option<String> {
    let (begin, end) = (
        format!("<!-- begin {name} -->"),
        format!("<!-- end {name} -->"),
    );
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    let part = part.trim();
    Some(format!("{before}{begin}\n\n{part}\n\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn only_the_part_changes() {
        let text = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb <!-- begin y --><!-- end y -->";
        let new = replaced(text, "x", "new\n").unwrap();
        assert_eq!(
            new,
            "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb <!-- begin y --><!-- end y -->"
        );
        assert_eq!(replaced(&new, "x", "new").unwrap(), new);
        assert_eq!(replaced(text, "z", ""), None);
    }
}
