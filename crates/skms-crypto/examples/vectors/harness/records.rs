//! "Name = value" files: CAVP responses, OpenSSL's stanzas, pyca's records.

use super::text::hex;

/// One line of such a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// `[text]`: parameters of what follows.
    Section(String),
    /// `name = value`, or a bare word with an empty value.
    Field(String, String),
    /// `# text`.
    Comment(String),
    /// An empty line.
    Blank,
    /// A PEM block, whole.
    Pem(String),
}

/// A file's lines.
pub fn lines(text: &str) -> Vec<Line> {
    let mut parsed = Vec::new();
    let mut input = text.lines();
    while let Some(line) = input.next() {
        let line = line.trim();
        if line.is_empty() {
            parsed.push(Line::Blank);
        } else if let Some(comment) = line.strip_prefix('#') {
            parsed.push(Line::Comment(comment.trim().to_owned()));
        } else if line.starts_with("-----BEGIN ") {
            let mut pem = format!("{line}\n");
            for line in input.by_ref() {
                pem.push_str(line.trim());
                pem.push('\n');
                if line.starts_with("-----END ") {
                    break;
                }
            }
            parsed.push(Line::Pem(pem));
        } else if line.starts_with('[') && line.ends_with(']') {
            parsed.push(Line::Section(line[1..line.len() - 1].trim().to_owned()));
        } else if let Some((name, value)) = line.split_once('=') {
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            parsed.push(Line::Field(name, value));
        } else {
            parsed.push(Line::Field(line.to_owned(), String::new()));
        }
    }
    parsed
}

/// The fields of one case, with the sections and the once-only fields above
/// it.
#[derive(Clone, Default, Debug)]
pub struct Record {
    /// The section lines in force.
    pub sections: Vec<String>,
    fields: Vec<(String, String)>,
}

impl Record {
    /// The text of a field, names compared without case.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the field is there.
    pub fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// The bytes of a hex field; `00` alone stays one byte. An odd number of
    /// digits, as in CAVP's integers, gets a leading zero.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let text = self.text(name)?;
        if text.len() % 2 == 1 {
            return hex(&format!("0{text}"));
        }
        hex(text)
    }

    /// The number in a decimal field.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.text(name)?.parse().ok()
    }

    /// The value of a `[name = value]` section.
    pub fn section(&self, name: &str) -> Option<&str> {
        self.sections.iter().find_map(|section| {
            let (field, value) = section.split_once('=')?;
            field
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim())
        })
    }

    /// The number in a `[name = value]` section.
    pub fn section_number(&self, name: &str) -> Option<usize> {
        self.section(name)?.parse().ok()
    }
}

/// Where records begin, beyond a field that comes again.
#[derive(Clone, Copy, Default)]
pub struct Layout<'a> {
    /// Fields that belong to every record that follows, until the next of
    /// that name or the next section.
    pub above: &'a [&'a str],
    /// The field that every record begins with; what precedes it belongs to
    /// all that follow.
    pub first: Option<&'a str>,
}

/// Groups lines into records. A record begins where a field comes again that
/// the record has already, or as `layout` says. Sections that follow each
/// other directly are in force together.
pub fn records(lines: &[Line], layout: Layout<'_>) -> Vec<Record> {
    let mut records = Vec::new();
    let mut sections: Vec<String> = Vec::new();
    let mut context: Vec<(String, String)> = Vec::new();
    let mut current: Vec<(String, String)> = Vec::new();
    let mut in_sections = false;
    let flush = |current: &mut Vec<(String, String)>,
                 sections: &[String],
                 context: &[(String, String)],
                 records: &mut Vec<Record>| {
        if !current.is_empty() {
            let mut fields = std::mem::take(current);
            fields.extend_from_slice(context);
            records.push(Record {
                sections: sections.to_vec(),
                fields,
            });
        }
    };
    for line in lines {
        match line {
            Line::Section(text) => {
                flush(&mut current, &sections, &context, &mut records);
                if !in_sections {
                    sections.clear();
                    context.clear();
                }
                in_sections = true;
                sections.push(text.clone());
            }
            Line::Field(name, value) => {
                in_sections = false;
                let field = (name.clone(), value.clone());
                let above = layout
                    .above
                    .iter()
                    .any(|one| one.eq_ignore_ascii_case(name));
                let early = current.is_empty() && layout.first.is_some_and(|first| first != name);
                if above || early {
                    flush(&mut current, &sections, &context, &mut records);
                    context.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
                    context.push(field);
                } else {
                    if current.iter().any(|(other, _)| other == name) {
                        flush(&mut current, &sections, &context, &mut records);
                    }
                    current.push(field);
                }
            }
            Line::Comment(_) | Line::Blank | Line::Pem(_) => {}
        }
    }
    flush(&mut current, &sections, &context, &mut records);
    records
}

/// All comments of a file, for what only they say.
pub fn comments(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        if let Line::Comment(comment) = line {
            text.push_str(comment);
            text.push('\n');
        }
    }
    text
}
