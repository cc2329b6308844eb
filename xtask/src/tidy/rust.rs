//! A reader for Rust source that tells code from comments, strings and tests,
//! so that a word in a string is not taken for a call.

use super::tree::Tree;

/// One line of a source file.
#[derive(Debug, Default)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// The code, with comments left out and strings emptied.
    pub code: String,
    /// The text of the comments on this line.
    pub comment: String,
    /// True inside an item that is compiled for tests only.
    pub test: bool,
}

/// A source file, read.
pub struct Source {
    /// Its lines in order.
    pub lines: Vec<Line>,
}

impl Source {
    /// Reads `text`, the content of `path`. The tree says whether the file is
    /// a module that another file declares for tests only.
    pub fn read(path: &str, text: &str, tree: &Tree) -> Self {
        let mut lines = split(text);
        let whole_file_is_test = is_test_path(path) || is_test_module(path, tree);
        if whole_file_is_test {
            lines.iter_mut().for_each(|line| line.test = true);
        } else {
            mark_tests(&mut lines);
        }
        Self { lines }
    }
}

fn is_test_path(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "tests" | "benches" | "examples" | "fuzz"))
}

/// True if the parent of the module at `path` says `#[cfg(test)] mod <name>;`,
/// or that of a folder above it.
fn is_test_module(path: &str, tree: &Tree) -> bool {
    let Some((folder, file)) = path.rsplit_once('/') else {
        return false;
    };
    let name = file.trim_end_matches(".rs");
    if matches!(name, "lib" | "main") {
        return false;
    }
    if name == "mod" {
        return is_test_module(&format!("{folder}.rs"), tree);
    }
    let parents = [
        format!("{folder}.rs"),
        format!("{folder}/mod.rs"),
        format!("{folder}/lib.rs"),
        format!("{folder}/main.rs"),
    ];
    for parent in parents {
        let Some(text) = tree.text(&parent) else {
            continue;
        };
        let mut lines = split(text);
        mark_tests(&mut lines);
        let declaration = format!("mod {name};");
        if lines
            .iter()
            .any(|line| line.test && line.code.contains(&declaration))
        {
            return true;
        }
    }
    is_test_module(&format!("{folder}.rs"), tree)
}

/// Marks the items behind `#[cfg(test)]` and `#[cfg(any(test, …))]`.
fn mark_tests(lines: &mut [Line]) {
    let mut index = 0;
    while index < lines.len() {
        let squeezed: String = lines[index].code.split_whitespace().collect();
        let starts = squeezed.contains("#[cfg(test)]") || squeezed.contains("#[cfg(any(test,");
        if !starts {
            index += 1;
            continue;
        }
        // The item ends with its first closing brace, or with a semicolon
        // outside any bracket.
        let mut depth = 0_i32;
        'item: while index < lines.len() {
            let line = &mut lines[index];
            line.test = true;
            index += 1;
            for character in line.code.chars() {
                match character {
                    '{' | '(' | '[' => depth += 1,
                    '}' => {
                        depth -= 1;
                        if depth == 0 {
                            break 'item;
                        }
                    }
                    ')' | ']' => depth -= 1,
                    ';' if depth == 0 => break 'item,
                    _ => {}
                }
            }
        }
    }
}

/// Where the reader is.
enum Place {
    Code,
    LineComment,
    /// How many block comments are open: they nest.
    BlockComment(u32),
    String,
    /// How many `#` close it.
    RawString(usize),
}

fn split(text: &str) -> Vec<Line> {
    let characters: Vec<char> = text.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    let mut lines = Vec::new();
    let mut line = Line::default();
    let mut place = Place::Code;
    let mut index = 0;
    while index < characters.len() {
        let character = at(index);
        index += 1;
        if character == '\n' {
            if matches!(place, Place::LineComment) {
                place = Place::Code;
            }
            finish(&mut lines, &mut line);
            continue;
        }
        match place {
            Place::Code => match character {
                '/' if at(index) == '/' => {
                    place = Place::LineComment;
                    index += 1;
                }
                '/' if at(index) == '*' => {
                    place = Place::BlockComment(1);
                    index += 1;
                }
                '"' => {
                    place = match raw_hashes(&line.code) {
                        Some(hashes) => Place::RawString(hashes),
                        None => Place::String,
                    };
                    line.code.push('"');
                }
                '\'' => {
                    // A character, not a lifetime: emptied like a string.
                    let length = match (at(index), at(index + 1)) {
                        ('\\', _) => (index + 2..index + 12).find(|&end| at(end) == '\''),
                        (_, '\'') => Some(index + 1),
                        _ => None,
                    };
                    line.code.push('\'');
                    if let Some(end) = length {
                        line.code.push('\'');
                        index = end + 1;
                    }
                }
                _ => line.code.push(character),
            },
            Place::LineComment => line.comment.push(character),
            Place::BlockComment(depth) => match (character, at(index)) {
                ('*', '/') => {
                    index += 1;
                    place = match depth {
                        1 => Place::Code,
                        _ => Place::BlockComment(depth - 1),
                    };
                }
                ('/', '*') => {
                    index += 1;
                    place = Place::BlockComment(depth + 1);
                }
                _ => line.comment.push(character),
            },
            Place::String => match character {
                '\\' if at(index) != '\n' => index += 1,
                '"' => {
                    line.code.push('"');
                    place = Place::Code;
                }
                _ => {}
            },
            Place::RawString(hashes) => {
                if character == '"' && (0..hashes).all(|offset| at(index + offset) == '#') {
                    index += hashes;
                    line.code.push('"');
                    place = Place::Code;
                }
            }
        }
    }
    finish(&mut lines, &mut line);
    lines
}

fn finish(lines: &mut Vec<Line>, line: &mut Line) {
    line.number = lines.len() + 1;
    lines.push(std::mem::take(line));
}

/// If the code so far ends as a raw string's opening does (`r`, `br`, `cr`,
/// then `#`s), how many `#`s it has.
fn raw_hashes(code: &str) -> Option<usize> {
    let without = code.trim_end_matches('#');
    let hashes = code.len() - without.len();
    let letters = without.strip_suffix('r')?;
    let letters = letters.strip_suffix(['b', 'c']).unwrap_or(letters);
    let inside_a_word = letters
        .chars()
        .next_back()
        .is_some_and(|last| last.is_alphanumeric() || last == '_');
    (!inside_a_word).then_some(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Vec<String> {
        split(text).into_iter().map(|line| line.code).collect()
    }

    fn in_tests(text: &str) -> Vec<bool> {
        let source = Source::read("crates/a/src/b.rs", text, &Tree::of(&[]));
        source.lines.into_iter().map(|line| line.test).collect()
    }

    #[test]
    fn strings_are_emptied_and_comments_set_apart() {
        let lines = split("let a = \"todo!() \\\" {\"; // why {\n");
        assert_eq!(lines[0].code, "let a = \"\"; ");
        assert_eq!(lines[0].comment, " why {");
        assert_eq!(
            code("f(r#\"a \" b\"#, br\"c\\\", 1)"),
            ["f(r#\"\", br\"\", 1)"]
        );
        assert_eq!(code("a /* b /* c */ d */ e"), ["a  e"]);
        assert_eq!(code("\"one\ntwo\" x"), ["\"", "\" x"]);
    }

    #[test]
    fn characters_and_lifetimes_are_told_apart() {
        assert_eq!(
            code("fn f<'a>(x: &'a str) { '\"' }"),
            ["fn f<'a>(x: &'a str) { '' }"]
        );
        assert_eq!(
            code("['\\'', '{', '\\u{1f}', b'\\\\']"),
            ["['', '', '', b'']"]
        );
    }

    #[test]
    fn a_test_module_ends_with_its_brace() {
        let text = "a\n#[cfg(test)]\nmod tests {\n    { }\n}\nb\n";
        assert_eq!(
            in_tests(text),
            [false, true, true, true, true, false, false]
        );
    }

    #[test]
    fn a_test_declaration_ends_with_its_semicolon() {
        let text =
            "#[cfg(test)]\nmod tests;\n#[cfg(any(test, feature = \"x\"))]\nuse a::{b, c};\nd";
        assert_eq!(in_tests(text), [true, true, true, true, false]);
    }

    #[test]
    fn a_test_file_is_known_by_its_declaration() {
        let tree = Tree::of(&[
            (
                "crates/a/src/lib.rs",
                "#[cfg(test)]\nmod cases;\nmod real;\n",
            ),
            ("crates/a/src/real.rs", "#[cfg(test)]\nmod tables;\n"),
        ]);
        let is_test = |path| Source::read(path, "x", &tree).lines[0].test;
        assert!(is_test("crates/a/src/cases.rs"));
        assert!(is_test("crates/a/src/cases/mod.rs"));
        assert!(is_test("crates/a/src/cases/more.rs"));
        assert!(is_test("crates/a/src/real/tables.rs"));
        assert!(is_test("crates/a/tests/all.rs"));
        assert!(!is_test("crates/a/src/real.rs"));
        assert!(!is_test("crates/a/src/lib.rs"));
    }
}
