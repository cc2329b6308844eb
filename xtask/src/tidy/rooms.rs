//! Which crate may depend on which, and what belongs in one room alone.

use super::manifest::dependencies;
use super::rust::Source;
use super::tree::Tree;

/// The rooms in the order of the house: a crate may use what is named here,
/// and only rooms above its own. A new crate needs a row.
const ROOMS: &[(&str, &[&str])] = &[
    ("skms-crypto", &[]),
    ("skms-proof", &[]),
    ("skms-policy", &["skms-crypto"]),
    ("skms-wire", &[]),
    ("skms-keys", &["skms-crypto"]),
    ("skms-pki", &["skms-crypto"]),
    ("skms-weak", &["skms-crypto"]),
    ("skms-exchange", &["skms-crypto", "skms-pki"]),
    ("skms-evidence", &["skms-crypto", "skms-proof"]),
    ("skms-watch", &["skms-evidence"]),
    ("skms-store", &["skms-crypto"]),
    (
        "skms-engine",
        &[
            "skms-crypto",
            "skms-proof",
            "skms-policy",
            "skms-keys",
            "skms-pki",
            "skms-weak",
            "skms-exchange",
            "skms-evidence",
            "skms-watch",
            "skms-store",
        ],
    ),
    ("skms-client", &["skms-wire", "skms-exchange", "skms-proof"]),
    (
        "skms",
        &[
            "skms-crypto",
            "skms-proof",
            "skms-policy",
            "skms-wire",
            "skms-keys",
            "skms-pki",
            "skms-weak",
            "skms-exchange",
            "skms-evidence",
            "skms-watch",
            "skms-store",
            "skms-engine",
            "skms-client",
        ],
    ),
    ("skms-pkcs11", &["skms-client"]),
    ("skms-witness", &["skms-store", "skms-proof"]),
    ("age-plugin-skms", &["skms-client"]),
    // Measures the product; it is no part of it.
    ("skms-bench", &["skms-client"]),
    ("xtask", &[]),
];

/// Outside crates that have one home: seams that must not leak.
const AT_HOME: &[(&str, &[&str])] = &[
    // The client encrypts files by itself: it must not see the server's rooms.
    ("aws-lc-rs", &["skms-crypto", "skms-client", "skms-bench"]),
    ("aws-lc-sys", &["skms-crypto"]),
    ("argon2", &["skms-crypto"]),
    ("hpke", &["skms-crypto"]),
    ("slh-dsa", &["skms-crypto"]),
    ("x-wing", &["skms-crypto"]),
    ("cedar-policy", &["skms-policy"]),
    ("rusqlite", &["skms-store"]),
    ("tokio-postgres", &["skms-store"]),
    ("axum", &["skms", "skms-bench"]),
    ("clap", &["skms", "skms-witness", "age-plugin-skms"]),
];

/// Rooms above the store: no I/O, and time is passed in. (`skms-crypto` is not
/// among them: it locks memory, reads the kernel's randomness and tests
/// itself.)
const PURE: &[&str] = &[
    "skms-proof",
    "skms-policy",
    "skms-wire",
    "skms-keys",
    "skms-pki",
    "skms-weak",
    "skms-exchange",
    "skms-evidence",
    "skms-watch",
];

/// Crates that a pure room has no use for.
const IMPURE_CRATES: &[&str] = &["tokio", "hyper", "axum", "rusqlite", "libc", "rustls"];

/// Calls that a pure room has no use for.
const IMPURE_CALLS: &[&str] = &[
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::process",
    "SystemTime::now",
    "Instant::now",
    "OffsetDateTime::now",
];

pub fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let manifests = tree.texts(|path| {
        (path.starts_with("crates/") || path.starts_with("xtask/")) && path.ends_with("/Cargo.toml")
    });
    for (path, text) in manifests {
        let folder = path.trim_end_matches("/Cargo.toml");
        let name = folder.rsplit('/').next().unwrap_or(folder);
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == name) else {
            findings.push(format!("{path}:1: {name} has no row in the table of rooms"));
            continue;
        };
        for dependency in dependencies(text) {
            let (other, line) = (dependency.name, dependency.line);
            let ours = ROOMS.iter().any(|(room, _)| *room == other);
            // For its tests a crate may switch on a feature of its own.
            let itself = dependency.dev && other == name;
            if ours && !itself && !allowed.contains(&other) {
                findings.push(format!("{path}:{line}: {name} may not depend on {other}"));
            }
            if dependency.dev {
                continue;
            }
            let away = AT_HOME
                .iter()
                .find(|(crate_name, homes)| *crate_name == other && !homes.contains(&name));
            if let Some((_, homes)) = away {
                let homes = homes.join(", ");
                findings.push(format!("{path}:{line}: {other} belongs in {homes} alone"));
            }
            if PURE.contains(&name) && IMPURE_CRATES.contains(&other) {
                findings.push(format!(
                    "{path}:{line}: {name} does no I/O; no {other} here"
                ));
            }
        }
        findings.extend(impure_calls(tree, folder, name));
    }
    findings
}

fn impure_calls(tree: &Tree, folder: &str, name: &str) -> Vec<String> {
    let mut findings = Vec::new();
    if !PURE.contains(&name) {
        return findings;
    }
    let start = format!("{folder}/src/");
    for (path, text) in tree.texts(|path| path.starts_with(&start) && path.ends_with(".rs")) {
        for line in Source::read(path, text, tree).lines {
            let call = IMPURE_CALLS.iter().find(|call| line.code.contains(**call));
            if let (Some(call), false) = (call, line.test) {
                let number = line.number;
                findings.push(format!(
                    "{path}:{number}: {name} does no I/O and is told the time; no {call} here"
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
    }

    #[test]
    fn the_table_points_upwards_only() {
        for (index, (room, allowed)) in ROOMS.iter().enumerate() {
            for other in *allowed {
                let place = ROOMS.iter().position(|(name, _)| name == other);
                assert!(place.is_some_and(|place| place < index), "{room} → {other}");
            }
        }
    }

    #[test]
    fn an_allowed_dependency_passes() {
        let manifest = "[dependencies]\nskms-crypto.workspace = true\nserde = \"1\"\n";
        assert!(findings(&[("crates/skms-store/Cargo.toml", manifest)]).is_empty());
    }

    #[test]
    fn a_dependency_downwards_is_found() {
        let manifest = "[dependencies]\nskms-engine.workspace = true\n";
        let found = findings(&[("crates/skms-store/Cargo.toml", manifest)]);
        assert_eq!(
            found,
            ["crates/skms-store/Cargo.toml:2: skms-store may not depend on skms-engine"]
        );
        let manifest = "[dev-dependencies]\nskms-engine.workspace = true\n";
        assert_eq!(
            findings(&[("crates/skms-keys/Cargo.toml", manifest)]).len(),
            1
        );
    }

    #[test]
    fn an_unknown_crate_is_found() {
        let found = findings(&[("crates/skms-extra/Cargo.toml", "")]);
        assert!(found[0].contains("no row"), "{found:?}");
    }

    #[test]
    fn a_leaking_seam_is_found() {
        let manifest = "[dependencies]\naws-lc-rs.workspace = true\n";
        assert_eq!(
            findings(&[("crates/skms-engine/Cargo.toml", manifest)]).len(),
            1
        );
        assert!(findings(&[("crates/skms-crypto/Cargo.toml", manifest)]).is_empty());
    }

    #[test]
    fn input_and_output_in_a_pure_room_are_found() {
        let manifest = ("crates/skms-keys/Cargo.toml", "");
        let code = "fn now() { std::time::SystemTime::now(); }\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        let found = findings(&[manifest, ("crates/skms-keys/src/lib.rs", code)]);
        assert_eq!(found.len(), 1, "{found:?}");
        let manifest = (
            "crates/skms-keys/Cargo.toml",
            "[dependencies]\ntokio = \"1\"\n",
        );
        assert_eq!(findings(&[manifest]).len(), 1);
    }
}
