//! Pictures are well-formed XML that loads nothing and runs nothing.
//!
//! Not an XML parser: it reads the subset that hand-written pictures use, and
//! refuses what is outside it (document types, processing instructions).

use super::tree::Tree;

pub fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts(|path| path.ends_with(".svg")) {
        if let Err((line, wrong)) = read(text) {
            findings.push(format!("{path}:{line}: {wrong}"));
        }
    }
    findings
}

type Wrong = (usize, String);

fn read(text: &str) -> Result<(), Wrong> {
    let mut reader = Reader { text, place: 0 };
    if let Some(rest) = reader.rest().strip_prefix("<?xml ") {
        let end = rest
            .find("?>")
            .ok_or_else(|| reader.wrong("the XML declaration does not end"))?;
        reader.place += "<?xml ".len() + end + "?>".len();
    }
    let mut open: Vec<String> = Vec::new();
    let mut roots = 0;
    while !reader.rest().is_empty() {
        let rest = reader.rest();
        if rest.starts_with("<!--") {
            reader.skip_past("-->")?;
        } else if let Some(tag) = rest.strip_prefix("</") {
            let name: String = tag
                .chars()
                .take_while(|character| is_name(*character))
                .collect();
            match open.pop() {
                Some(expected) if expected == name => {}
                Some(expected) => {
                    return Err(reader.wrong(&format!("</{name}> closes <{expected}>")));
                }
                None => return Err(reader.wrong(&format!("</{name}> closes nothing"))),
            }
            reader.skip_past(">")?;
        } else if rest.starts_with('<') {
            let (name, closed) = reader.tag()?;
            if open.is_empty() {
                roots += 1;
                if name != "svg" || roots > 1 {
                    return Err(reader.wrong("the one outermost element must be <svg>"));
                }
            }
            if !closed {
                open.push(name);
            }
        } else {
            let end = rest.find('<').unwrap_or(rest.len());
            let words = &rest[..end];
            if open.is_empty() && !words.trim().is_empty() {
                return Err(reader.wrong("text outside <svg>"));
            }
            reader.references(words)?;
            reader.place += end;
        }
    }
    match open.last() {
        Some(name) => Err(reader.wrong(&format!("<{name}> is not closed"))),
        None if roots == 0 => Err(reader.wrong("there is no <svg>")),
        None => Ok(()),
    }
}

struct Reader<'a> {
    text: &'a str,
    place: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.place..]
    }

    fn wrong(&self, what: &str) -> Wrong {
        let line = self.text[..self.place].matches('\n').count() + 1;
        (line, what.to_owned())
    }

    fn skip_past(&mut self, end: &str) -> Result<(), Wrong> {
        match self.rest().find(end) {
            Some(place) => {
                self.place += place + end.len();
                Ok(())
            }
            None => Err(self.wrong(&format!("{end} is missing"))),
        }
    }

    fn name(&mut self) -> Result<&'a str, Wrong> {
        let rest = self.rest();
        let end = rest
            .find(|character| !is_name(character))
            .unwrap_or(rest.len());
        if end == 0 || rest.starts_with(|first: char| !first.is_alphabetic() && first != '_') {
            return Err(self.wrong("a name is missing"));
        }
        self.place += end;
        Ok(&rest[..end])
    }

    fn spaces(&mut self) -> bool {
        let rest = self.rest();
        let length = rest.len() - rest.trim_start().len();
        self.place += length;
        length > 0
    }

    /// Reads an opening tag; returns its name and whether it closes itself.
    fn tag(&mut self) -> Result<(String, bool), Wrong> {
        self.place += 1;
        let name = self.name()?.to_owned();
        if matches!(name.as_str(), "script" | "foreignObject") {
            return Err(self.wrong(&format!("a picture has no use for <{name}>")));
        }
        let mut seen: Vec<&str> = Vec::new();
        loop {
            let spaced = self.spaces();
            if self.rest().starts_with("/>") {
                self.place += 2;
                return Ok((name, true));
            }
            if self.rest().starts_with('>') {
                self.place += 1;
                return Ok((name, false));
            }
            if !spaced {
                return Err(self.wrong(&format!("<{name}> is not well-formed")));
            }
            let attribute = self.name()?;
            if seen.contains(&attribute) {
                return Err(self.wrong(&format!("{attribute} stands twice in <{name}>")));
            }
            seen.push(attribute);
            self.attribute_value(attribute)?;
        }
    }

    fn attribute_value(&mut self, attribute: &str) -> Result<(), Wrong> {
        let rest = self.rest();
        let quote = match rest.as_bytes() {
            [b'=', quote @ (b'"' | b'\''), ..] => char::from(*quote),
            _ => return Err(self.wrong(&format!("{attribute} has no quoted value"))),
        };
        let body = &rest[2..];
        let end = body
            .find(quote)
            .ok_or_else(|| self.wrong("a quote is not closed"))?;
        let value = &body[..end];
        if value.contains('<') {
            return Err(self.wrong(&format!("{attribute} holds a bare <")));
        }
        self.references(value)?;
        let names_a_space = attribute == "xmlns" || attribute.starts_with("xmlns:");
        let loads = value.contains("://") || value.contains("data:");
        if attribute.starts_with("on") || (loads && !names_a_space) {
            return Err(self.wrong(&format!("{attribute} runs or loads something")));
        }
        self.place += 2 + end + 1;
        Ok(())
    }

    /// Every `&` must begin one of XML's own references.
    fn references(&self, words: &str) -> Result<(), Wrong> {
        for (place, _) in words.match_indices('&') {
            let name = words[place + 1..].split(';').next().unwrap_or("");
            let numeric = name.strip_prefix('#').is_some_and(|number| {
                let digits = number.strip_prefix('x').unwrap_or(number);
                !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_hexdigit())
            });
            let known = matches!(name, "amp" | "lt" | "gt" | "quot" | "apos");
            if !known && !numeric {
                return Err(self.wrong("a bare & (write &amp;)"));
            }
        }
        Ok(())
    }
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | ':' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_picture_passes() {
        let text = "<?xml version=\"1.0\"?>\n<!-- a > b -->\n\
            <svg xmlns=\"http://www.w3.org/2000/svg\" viewBox='0 0 1 1'>\n\
            <g><text x=\"1\">a &amp; b &#8594; c</text><path d=\"M0 0\"/></g>\n</svg>\n";
        assert_eq!(read(text), Ok(()));
    }

    #[test]
    fn bad_pictures_are_found() {
        for text in [
            "",
            "<p></p>",
            "<svg>",
            "<svg></g>",
            "<svg><g></svg></g>",
            "<svg/><svg/>",
            "<svg a=1/>",
            "<svg a=\"1\" a=\"2\"/>",
            "<svg a=\"1\"b=\"2\"/>",
            "<svg>a & b</svg>",
            "<svg>&nbsp;</svg>",
            "<svg a=\"<\"/>",
            "<svg><!-- </svg>",
            "<svg/>words",
            "<svg><script/></svg>",
            "<svg onload=\"x()\"/>",
            "<svg><image href=\"https://example.org/x.png\"/></svg>",
            "<!DOCTYPE svg><svg/>",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_line_is_told() {
        assert_eq!(read("<svg>\n\n&\n</svg>").map_err(|(line, _)| line), Err(1));
    }
}
