//! A fuzz target for every parser that a crate offers, with a corpus that is
//! replayed on stable.
//!
//! Each public function `name(data: &[u8])` of a crate's `fuzzing` module needs
//! `fuzz/fuzz_targets/<crate>_<name>.rs`, a `[[bin]]` of that name, at least one
//! file in `fuzz/corpus/<crate>_<name>/`, and a row in the replaying test. The
//! crate's name is written without `skms-`: `keys_name` for `skms-keys`.

use super::rust::Source;
use super::tree::Tree;

/// The test that replays all corpora.
const REPLAY: &str = "crates/skms/tests/fuzz_corpus.rs";

pub fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let manifest = tree.text("fuzz/Cargo.toml").unwrap_or("");
    let replay = tree.text(REPLAY).unwrap_or("");
    let mut wanted = Vec::new();
    for (path, text) in tree.texts(is_fuzzing_module) {
        let crate_name = path.split('/').nth(1).unwrap_or("");
        let short = crate_name.strip_prefix("skms-").unwrap_or(crate_name);
        for line in Source::read(path, text, tree).lines {
            let Some(function) = parser(&line.code) else {
                continue;
            };
            let target = format!("{short}_{function}");
            let number = line.number;
            let call = format!("{}::fuzzing::{function}", crate_name.replace('-', "_"));
            let file = format!("fuzz/fuzz_targets/{target}.rs");
            let mut lacks = |what: &str| {
                findings.push(format!("{path}:{number}: {function} has no {what}"));
            };
            if !tree.text(&file).is_some_and(|text| text.contains(&call)) {
                lacks(&file);
            }
            if !manifest.contains(&format!("name = \"{target}\"")) {
                lacks("[[bin]] in fuzz/Cargo.toml");
            }
            if !tree.has_below(&format!("fuzz/corpus/{target}")) {
                lacks(&format!("corpus in fuzz/corpus/{target}/"));
            }
            if !replay.contains(&format!("{target:?}")) || !replay.contains(&call) {
                lacks(&format!("row in {REPLAY}"));
            }
            wanted.push(file);
        }
    }
    for (path, _) in tree.texts(|path| path.starts_with("fuzz/fuzz_targets/")) {
        if !wanted.iter().any(|file| file == path) {
            findings.push(format!("{path}:1: no fuzzing module has this function"));
        }
    }
    findings
}

fn is_fuzzing_module(path: &str) -> bool {
    path.starts_with("crates/")
        && (path.ends_with("/src/fuzzing.rs") || path.ends_with("/src/fuzzing/mod.rs"))
}

/// The name of a function that takes one slice of bytes, if the line begins one.
fn parser(code: &str) -> Option<&str> {
    let rest = code.trim_start().strip_prefix("pub fn ")?;
    let (name, rest) = rest.split_once('(')?;
    let (_, kind) = rest.split_once(':')?;
    kind.trim_start().starts_with("&[u8])").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: (&str, &str) = (
        "crates/skms-wire/src/fuzzing.rs",
        "pub fn json(data: &[u8]) {}\nfn helper(data: &[u8]) {}\npub fn other(n: u8) {}\n",
    );

    #[test]
    fn a_whole_target_passes() {
        let files = [
            MODULE,
            (
                "fuzz/fuzz_targets/wire_json.rs",
                "skms_wire::fuzzing::json(data)",
            ),
            ("fuzz/Cargo.toml", "[[bin]]\nname = \"wire_json\"\n"),
            ("fuzz/corpus/wire_json/empty", ""),
            (REPLAY, "(\"wire_json\", skms_wire::fuzzing::json),"),
        ];
        assert_eq!(check(&Tree::of(&files)), Vec::<String>::new());
        // Each part is missed when it is taken away.
        for missing in 1..files.len() {
            let mut rest = files.to_vec();
            rest.remove(missing);
            assert_eq!(check(&Tree::of(&rest)).len(), 1, "{}", files[missing].0);
        }
    }

    #[test]
    fn a_target_without_its_parser_is_found() {
        let tree = Tree::of(&[("fuzz/fuzz_targets/wire_gone.rs", "")]);
        assert_eq!(check(&tree).len(), 1);
    }
}
