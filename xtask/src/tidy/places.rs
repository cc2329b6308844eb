//! Nothing in the tree names the machine it was written on, or the host of a
//! package registry or mirror: the project builds wherever it is cloned.

use std::path::Path;

use super::tree::Tree;

/// Folders of people's machines, and registries' hosts. Each is in two parts,
/// so that this file does not break its own rule.
const NAMES: &[(&str, &str)] = &[
    ("/ho", "me/"),
    ("/Us", "ers/"),
    ("index.cra", "tes.io"),
    ("static.cra", "tes.io"),
    ("py", "pi.org"),
    ("files.python", "hosted.org"),
    ("registry.np", "mjs.org"),
    ("deb.deb", "ian.org"),
    ("proxy.go", "lang.org"),
];

/// The folders of the machine that runs the check: the clone's own and its
/// user's. Too short ones (`/`, `/src`) would match anything and are left out.
pub fn of_this_machine(root: &Path) -> Vec<String> {
    let mut places = Vec::new();
    let home = std::env::var("HOME").unwrap_or_default();
    for place in [root.display().to_string(), home] {
        let place = place.trim_end_matches('/');
        if place.len() > 4 {
            places.push(format!("{place}/"));
        }
    }
    places
}

/// Whether a line has the name where a path can begin: not within a longer one,
/// as a namespace may be called like somebody's home.
fn stands_in(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}/".contains(c))
    })
}

pub fn check(tree: &Tree, machine: &[String]) -> Vec<String> {
    let mut names: Vec<String> = NAMES
        .iter()
        .map(|(start, end)| format!("{start}{end}"))
        .collect();
    names.extend_from_slice(machine);
    let mut findings = Vec::new();
    for (path, text) in tree.texts(is_ours) {
        for (index, line) in text.lines().enumerate() {
            if let Some(name) = names.iter().find(|name| stands_in(line, name)) {
                let number = index + 1;
                findings.push(format!(
                    "{path}:{number}: names {name}, a place outside the tree"
                ));
            }
        }
    }
    findings
}

/// Not what others wrote: published vectors, lock files, fuzzing inputs.
fn is_ours(path: &str) -> bool {
    let data = path.starts_with("testdata/") && !path.ends_with(".md");
    !data && !path.starts_with("fuzz/corpus/") && !path.ends_with("Cargo.lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found() {
        let home = format!("{}{}", NAMES[0].0, NAMES[0].1);
        let text = format!("fine\nsee {home}someone/notes\n");
        let tree = Tree::of(&[("docs/a.md", &text)]);
        assert_eq!(check(&tree, &[]).len(), 1);
        assert!(check(&tree, &[])[0].starts_with("docs/a.md:2:"));
        let tree = Tree::of(&[("docs/a.md", "built in /srv/builds/skms/x\n")]);
        assert!(check(&tree, &[]).is_empty());
        assert_eq!(check(&tree, &["/srv/builds/skms/".to_owned()]).len(), 1);
        // A namespace may be called like somebody's home.
        let tree = Tree::of(&[("docs/a.md", "GET /pki/srv/builds/skms/1/ca.crt\n")]);
        assert!(check(&tree, &["/srv/builds/skms/".to_owned()]).is_empty());
    }

    #[test]
    fn published_data_is_left_alone() {
        let host = format!("{}{}", NAMES[2].0, NAMES[2].1);
        let tree = Tree::of(&[("testdata/a.json", &host), ("Cargo.lock", &host)]);
        assert!(check(&tree, &[]).is_empty());
        assert_eq!(
            check(&Tree::of(&[("testdata/README.md", &host)]), &[]).len(),
            1
        );
    }
}
