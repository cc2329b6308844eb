//! The pinned copy of the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{MODULE, PINS};
use crate::Result;
use crate::command::root;

/// Copies every file that git knows, with the pins in the manifest. Files that
/// did not change keep their times, so that what was built from them stays
/// built; files that went are removed.
pub(super) fn make(to: &Path) -> Result {
    let mut kept = BTreeSet::new();
    for name in names()? {
        let source = root().join(&name);
        if !source.is_file() {
            continue;
        }
        let target = to.join(&name);
        let mut bytes = fs::read(&source)?;
        if name == "Cargo.toml" {
            bytes = pin(&String::from_utf8(bytes)?)?.into_bytes();
        }
        if !fs::read(&target).is_ok_and(|known| known == bytes) {
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&target, bytes)?;
        }
        kept.insert(target);
    }
    remove_others(to, &kept)
}

fn names() -> Result<Vec<String>> {
    let listed = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "-z", "--cached"])
        .args(["--others", "--exclude-standard"])
        .output()
        .map_err(|error| format!("cannot start git, which knows the sources: {error}"))?;
    if !listed.status.success() {
        return Err("git ls-files failed: the sources are to be in a repository".into());
    }
    Ok(String::from_utf8(listed.stdout)?
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}

fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> Result {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The workspace's manifest with the pinned versions in it.
fn pin(manifest: &str) -> Result<String> {
    let exact = format!("{} = \"={}\"", MODULE.0, MODULE.1);
    if !manifest.lines().any(|line| line == exact) {
        return Err(format!("Cargo.toml does not say {exact}").into());
    }
    let mut lines: Vec<String> = manifest.lines().map(str::to_owned).collect();
    for (name, version) in PINS {
        let line = lines
            .iter_mut()
            .find(|line| line.split(' ').next() == Some(*name))
            .ok_or_else(|| format!("Cargo.toml has no dependency {name}"))?;
        // The first quoted text is the version, in either form.
        let parts: Vec<&str> = line.splitn(3, '"').collect();
        let [before, _, after] = parts.as_slice() else {
            return Err(format!("the dependency {name} has no version").into());
        };
        *line = format!("{before}\"={version}\"{after}");
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// Checks that the copy's lock has each pinned crate once, and so.
pub(super) fn check_lock(sources: &Path) -> Result {
    let lock = fs::read_to_string(sources.join("Cargo.lock"))?;
    for (name, version) in PINS.iter().chain([&MODULE]) {
        let found = locked(&lock, name);
        if found != [*version] {
            return Err(format!("{name} is to be {version} and is {found:?}").into());
        }
    }
    Ok(())
}

/// The versions of a crate in a lock.
fn locked<'a>(lock: &'a str, name: &str) -> Vec<&'a str> {
    let wanted = format!("name = \"{name}\"");
    let lines: Vec<&str> = lock.lines().collect();
    lines
        .windows(2)
        .filter(|pair| pair.first() == Some(&wanted.as_str()))
        .filter_map(|pair| {
            let version = pair.get(1)?.strip_prefix("version = \"")?;
            version.strip_suffix('"')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> String {
        fs::read_to_string(root().join("Cargo.toml")).unwrap()
    }

    #[test]
    fn the_workspaces_own_manifest_can_be_pinned() {
        let pinned = pin(&manifest()).unwrap();
        for (name, version) in PINS.iter().chain([&MODULE]) {
            let exact = format!("\"={version}\"");
            let line = pinned
                .lines()
                .find(|line| line.starts_with(&format!("{name} =")));
            assert!(line.is_some_and(|line| line.contains(&exact)), "{name}");
        }
        assert_eq!(pinned.lines().count(), manifest().lines().count());
    }

    #[test]
    fn a_manifest_that_lets_the_module_move_is_refused() {
        let loose = manifest().replace("\"=0.13.11\"", "\"0.13\"");
        let said = pin(&loose).unwrap_err().to_string();
        assert!(said.contains("aws-lc-fips-sys"), "{said}");
        assert!(pin("[workspace]").is_err());
    }

    #[test]
    fn a_lock_tells_every_version_of_a_crate() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"ab\"\nversion = \"3.0.0\"\n\n\
                    [[package]]\nname = \"a\"\nversion = \"2.0.0\"\n";
        assert_eq!(locked(lock, "a"), ["1.0.0", "2.0.0"]);
        assert!(locked(lock, "b").is_empty());
    }
}
