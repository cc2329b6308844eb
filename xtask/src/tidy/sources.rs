//! Rules for Rust files: unsafe code, length, and what is unfinished.

use super::rust::{Line, Source};
use super::tree::Tree;

/// The longest a file may be: past that it holds more than one idea.
const MOST_LINES: usize = 700;

/// The only places with unsafe code: locked memory and AWS-LC's own calls, and
/// the PKCS#11 module, which is a C interface.
const UNSAFE_HOMES: &[&str] = &[
    "crates/skms-crypto/src/locked.rs",
    "crates/skms-crypto/src/locked/",
    "crates/skms-crypto/src/awslc.rs",
    "crates/skms-crypto/src/awslc/",
    "crates/skms-pkcs11/src/",
];

/// Calls that have no place outside tests, and what to do instead.
const BANNED_CALLS: &[(&str, &str)] = &[
    (
        ".unwrap()",
        "return an error, or say with expect() why it cannot happen",
    ),
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    ("dbg!(", "take it out"),
    ("panic!(", "return an error"),
];

/// Banned everywhere, tests included.
const BANNED_CODE: &[(&str, &str)] = &[
    ("#[ignore", "a test that does not run guards nothing"),
    ("allow(dead_code)", "take the dead code out"),
    ("allow(unused", "take the unused code out"),
];

pub fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts(|path| path.ends_with(".rs")) {
        let length = text.lines().count();
        if length > MOST_LINES {
            findings.push(format!(
                "{path}:{length}: longer than {MOST_LINES} lines; split it along the domain"
            ));
        }
        let source = Source::read(path, text, tree);
        findings.extend(unsafe_code(path, &source));
        findings.extend(unfinished(path, &source));
        if is_crate_root(path) {
            findings.extend(crate_root(path, text, &source));
        }
    }
    findings
}

/// `src/lib.rs`, `src/main.rs` or a program in `src/bin/` of a crate of ours.
fn is_crate_root(path: &str) -> bool {
    let ours = path.starts_with("crates/") || path.starts_with("xtask/");
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let program = folder.ends_with("/src/bin");
    ours && (path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || program)
}

fn crate_root(path: &str, text: &str, source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    let states = |attribute: &str| {
        source
            .lines
            .iter()
            .any(|line| line.code.trim() == attribute)
    };
    let wanted = match path.split('/').nth(1) {
        Some("skms-pkcs11") => None,
        Some("skms-crypto") => Some("#![deny(unsafe_code)]"),
        _ => Some("#![forbid(unsafe_code)]"),
    };
    if let Some(wanted) = wanted
        && !states(wanted)
    {
        findings.push(format!("{path}:1: must state {wanted}"));
    }
    if !text.starts_with("//!") {
        findings.push(format!(
            "{path}:1: must open with what the room is and is not"
        ));
    }
    findings
}

fn unsafe_code(path: &str, source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    let at_home = UNSAFE_HOMES.iter().any(|home| path.starts_with(home));
    for (index, line) in source.lines.iter().enumerate() {
        let number = line.number;
        if line.code.contains("allow(unsafe_code)") && !at_home && !declares_home(source, index) {
            findings.push(format!("{path}:{number}: unsafe code is not allowed here"));
        }
        let Some(duty) = Duty::of(&line.code) else {
            continue;
        };
        if !at_home {
            findings.push(format!("{path}:{number}: unsafe code is not allowed here"));
        }
        if let Some(words) = duty.words()
            && !explained(&source.lines[..=index], words)
        {
            findings.push(format!(
                "{path}:{number}: unsafe without a {words} line above it"
            ));
        }
    }
    findings
}

/// What a line with the word `unsafe` owes its reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Duty {
    /// A block or an implementation relies on something: why it holds.
    Reason,
    /// A function asks something of its callers: what.
    Contract,
    /// A function's type only names the word.
    Nothing,
}

impl Duty {
    fn of(code: &str) -> Option<Self> {
        let mut duty = None;
        for (place, word) in code.match_indices("unsafe") {
            let before = code[..place].chars().next_back();
            let rest = &code[place + word.len()..];
            let ends = !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
            if !ends || before.is_some_and(|last| last.is_alphanumeric() || last == '_') {
                continue;
            }
            let rest = rest.trim_start();
            let rest = rest.strip_prefix("extern").unwrap_or(rest).trim_start();
            let rest = rest.strip_prefix("\"\"").unwrap_or(rest).trim_start();
            match rest.strip_prefix("fn") {
                None => return Some(Self::Reason),
                Some(name) if name.starts_with(' ') => duty = Some(Self::Contract),
                Some(_) => duty = duty.or(Some(Self::Nothing)),
            }
        }
        duty
    }

    fn words(self) -> Option<&'static str> {
        match self {
            Self::Reason => Some("SAFETY:"),
            Self::Contract => Some("# Safety"),
            Self::Nothing => None,
        }
    }
}

/// True if the attribute stands above `mod locked;` or `mod awslc;`.
fn declares_home(source: &Source, index: usize) -> bool {
    source.lines[index..].iter().take(3).any(|line| {
        let code = line.code.trim();
        code.ends_with("mod locked;") || code.ends_with("mod awslc;")
    })
}

/// True if the last line, or the comment right above its statement, has these
/// words.
fn explained(lines: &[Line], words: &str) -> bool {
    let says = |line: &Line| line.comment.contains(words);
    let Some((last, above)) = lines.split_last() else {
        return false;
    };
    if says(last) {
        return true;
    }
    // A statement may have begun a few lines earlier (`let status =`), and
    // attributes may stand between; the comment is the block above all that.
    let mut code_lines = 0;
    for line in above.iter().rev() {
        if says(line) {
            return true;
        }
        let code = line.code.trim();
        if code.is_empty() && line.comment.is_empty() {
            return false;
        }
        if !code.is_empty() && !code.starts_with("#[") {
            code_lines += 1;
            if code_lines > 3 || code.ends_with(';') || code.ends_with('}') {
                return false;
            }
        }
    }
    false
}

fn unfinished(path: &str, source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    // This folder holds the words as data; its strings are not code, but the
    // comments that explain them would count.
    let rules_themselves = path.starts_with("xtask/src/tidy/");
    for (index, line) in source.lines.iter().enumerate() {
        let number = line.number;
        for (code, advice) in BANNED_CODE {
            // Test programs share code of which each uses a part; whoever
            // says so beside the attribute may switch the warning off.
            let explained = line.test && code.starts_with("allow") && !line.comment.is_empty();
            if line.code.contains(code) && !explained {
                findings.push(format!("{path}:{number}: {code}: {advice}"));
            }
        }
        let marker = words(&line.comment).find(|word| matches!(*word, "TODO" | "FIXME" | "XXX"));
        if let (Some(marker), false) = (marker, rules_themselves) {
            findings.push(format!("{path}:{number}: {marker}: finish it or file it"));
        }
        if line.test {
            continue;
        }
        // A panic that no input reaches may stay if the line above says why.
        let above = index
            .checked_sub(1)
            .and_then(|above| source.lines.get(above));
        let reasoned = above.is_some_and(|above| !above.comment.is_empty());
        for (call, advice) in BANNED_CALLS {
            let excused = *call == "panic!(" && reasoned;
            if contains_call(&line.code, call) && !excused {
                findings.push(format!("{path}:{number}: {call}: {advice}"));
            }
        }
    }
    findings
}

/// Finds the call, but not as the end of a longer name (`my_panic!(`).
fn contains_call(code: &str, call: &str) -> bool {
    code.match_indices(call).any(|(place, _)| {
        let before = code[..place].chars().next_back();
        call.starts_with('.') || !before.is_some_and(|last| last.is_alphanumeric() || last == '_')
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORBID: &str = "//! A room.\n#![forbid(unsafe_code)]\n";

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)]))
    }

    #[test]
    fn a_good_crate_root_passes() {
        assert!(findings("crates/skms-keys/src/lib.rs", FORBID).is_empty());
        let text = "//! A room.\n#![deny(unsafe_code)]\n#[allow(unsafe_code)]\nmod awslc;\n";
        assert!(findings("crates/skms-crypto/src/lib.rs", text).is_empty());
    }

    #[test]
    fn a_crate_root_without_its_lines_is_found() {
        assert_eq!(
            findings("crates/skms-keys/src/lib.rs", "fn a() {}\n").len(),
            2
        );
        let text = "//! A room.\n// #![forbid(unsafe_code)]\n";
        assert_eq!(findings("crates/skms/src/main.rs", text).len(), 1);
        let text = "//! A room.\n#![deny(unsafe_code)]\n";
        assert_eq!(findings("crates/skms-keys/src/lib.rs", text).len(), 1);
    }

    #[test]
    fn unsafe_needs_its_home_and_its_reason() {
        let good = "// SAFETY: the pointer is valid for 32 bytes.\nlet a =\n    unsafe { b() };\n";
        assert!(findings("crates/skms-crypto/src/locked.rs", good).is_empty());
        let bare = "let a = 1;\nunsafe { b() };\n";
        assert_eq!(
            findings("crates/skms-crypto/src/awslc/dh.rs", bare).len(),
            1
        );
        assert_eq!(findings("crates/skms-store/src/lock.rs", good).len(), 1);
        let contract = "/// # Safety\n/// `a` is valid.\nunsafe fn b(a: *const u8) {}\n";
        assert!(findings("crates/skms-crypto/src/locked.rs", contract).is_empty());
        let silent = "/// Does it.\nunsafe fn b(a: *const u8) {}\n";
        assert_eq!(
            findings("crates/skms-crypto/src/locked.rs", silent).len(),
            1
        );
        let kind = "fn a(\n    b: unsafe extern \"C\" fn(u8),\n) {}\n";
        assert!(findings("crates/skms-crypto/src/locked.rs", kind).is_empty());
        let far = "// SAFETY: of another.\nunsafe { b() };\nunsafe { c() };\n";
        assert_eq!(findings("crates/skms-crypto/src/locked.rs", far).len(), 1);
        let allowed = "#[allow(unsafe_code)]\nmod other;\n";
        assert_eq!(findings("crates/skms-crypto/src/x.rs", allowed).len(), 1);
    }

    #[test]
    fn words_in_strings_and_comments_are_not_code() {
        let text = "// unsafe, panic!(\nlet a = \"unsafe .unwrap() TODO\";\n";
        assert!(findings("crates/skms/src/a.rs", text).is_empty());
    }

    #[test]
    fn unfinished_code_is_found_outside_tests() {
        for line in ["todo!();", "a.unwrap();", "panic!(\"a\");", "dbg!(a);"] {
            assert_eq!(findings("crates/skms/src/a.rs", line).len(), 1, "{line}");
            assert!(
                findings("crates/skms/tests/a.rs", line).is_empty(),
                "{line}"
            );
            let module = format!("#[cfg(test)]\nmod tests {{\n{line}\n}}\n");
            assert!(
                findings("crates/skms/src/a.rs", &module).is_empty(),
                "{line}"
            );
        }
        assert!(findings("crates/skms/src/a.rs", "std::panic::catch_unwind(a);").is_empty());
        let reasoned = "// Only in constants.\npanic!(\"a\")\n";
        assert!(findings("crates/skms/src/a.rs", reasoned).is_empty());
    }

    #[test]
    fn silenced_tests_and_reminders_are_found_everywhere() {
        let ignored = "#[test]\n#[ignore]\nfn a() {}\n";
        assert_eq!(findings("crates/skms/tests/a.rs", ignored).len(), 1);
        let shared = "#![allow(dead_code)] // Each test program uses its own part.\n";
        assert!(findings("crates/skms/tests/common/mod.rs", shared).is_empty());
        assert_eq!(findings("crates/skms/src/a.rs", shared).len(), 1);
        let silent = "#![allow(dead_code)]\n";
        assert_eq!(findings("crates/skms/tests/common/mod.rs", silent).len(), 1);
        let reminder = "// TO";
        let reminder = format!("{reminder}DO: more\n");
        assert_eq!(findings("crates/skms/src/a.rs", &reminder).len(), 1);
    }

    #[test]
    fn a_long_file_is_found() {
        assert!(findings("crates/a/src/b.rs", &"\n".repeat(700)).is_empty());
        assert_eq!(findings("crates/a/src/b.rs", &"\n".repeat(701)).len(), 1);
    }
}
