//! As much of a `Cargo.toml` as the rules need: which crates it names in which
//! table. Not a TOML parser: it knows the forms that this workspace uses.

/// One dependency line.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency<'a> {
    /// The name before `=`, `.` or the end of a table's header.
    pub name: &'a str,
    /// True in `[dev-dependencies]`.
    pub dev: bool,
    /// The line it stands on, from 1.
    pub line: usize,
}

/// All dependencies that a manifest names.
pub fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut found = Vec::new();
    // None outside a table of dependencies; else whether it is for tests.
    let mut table: Option<bool> = None;
    for (index, line) in manifest.lines().enumerate() {
        let line_number = index + 1;
        let text = line.split('#').next().unwrap_or("").trim();
        if let Some(header) = text.strip_prefix('[') {
            let header = header.trim_end_matches(']').trim();
            let (kind, own) = kind_and_name(header);
            table = kind;
            if let (Some(dev), Some(name)) = (kind, own) {
                // `[dependencies.name]`: the lines below it are its settings.
                found.push(Dependency {
                    name,
                    dev,
                    line: line_number,
                });
                table = None;
            }
        } else if let Some(dev) = table
            && let Some((key, _)) = text.split_once('=')
        {
            let name = key.split('.').next().unwrap_or(key).trim();
            found.push(Dependency {
                name: name.trim_matches('"'),
                dev,
                line: line_number,
            });
        }
    }
    found
}

/// Reads a header such as `target.'cfg(unix)'.dependencies.name`.
fn kind_and_name(header: &str) -> (Option<bool>, Option<&str>) {
    if header.starts_with("workspace") {
        return (None, None);
    }
    for (table, dev) in [
        ("dev-dependencies", true),
        ("build-dependencies", false),
        ("dependencies", false),
    ] {
        let Some(place) = header.rfind(table) else {
            continue;
        };
        let starts = place == 0 || header[..place].ends_with('.');
        let rest = &header[place + table.len()..];
        if starts && rest.is_empty() {
            return (Some(dev), None);
        }
        if starts && let Some(name) = rest.strip_prefix('.') {
            return (Some(dev), Some(name.trim_matches('"')));
        }
    }
    (None, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found() {
        let manifest = r#"
[package]
name = "skms-store"

[dependencies]
skms-crypto.workspace = true   # at-rest primitives
serde = "1"
"libc" = { version = "0.2" }

[dependencies.rusqlite]
version = "0.43"

[target.'cfg(unix)'.dependencies]
rustix = "1"

[dev-dependencies]
proptest.workspace = true

[build-dependencies]
cc = "1"

[features]
fips = ["skms-crypto/fips"]
"#;
        let names: Vec<_> = dependencies(manifest)
            .into_iter()
            .map(|dependency| (dependency.name, dependency.dev))
            .collect();
        assert_eq!(
            names,
            [
                ("skms-crypto", false),
                ("serde", false),
                ("libc", false),
                ("rusqlite", false),
                ("rustix", false),
                ("proptest", true),
                ("cc", false),
            ]
        );
    }

    #[test]
    fn the_shared_list_is_no_dependency() {
        assert!(dependencies("[workspace.dependencies]\nserde = \"1\"\n").is_empty());
    }
}
