//! What the figures were measured on and with.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::root;

/// The processor's own name and how many cores there are.
pub fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("an unnamed processor", |(_, name)| name.trim());
    let instructions: Vec<&str> = text
        .lines()
        .find_map(|line| line.strip_prefix("flags"))
        .map(|flags| {
            let known = ["aes", "sha_ni", "vaes", "vpclmulqdq", "avx2", "avx512f"];
            let flags: Vec<&str> = flags.split_whitespace().collect();
            known
                .into_iter()
                .filter(|name| flags.contains(name))
                .collect()
        })
        .unwrap_or_default();
    format!("{} cores, {name} ({})", cores(), instructions.join(", "))
}

/// How many cores this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// The kernel's release.
pub fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim())
}

/// The kind of file system that a folder is on.
pub fn file_system(folder: &Path) -> String {
    let Ok(folder) = folder.canonicalize() else {
        return "unknown".to_owned();
    };
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (point, kind) = (fields.next()?, fields.next()?);
            folder.starts_with(point).then_some((point.len(), kind))
        })
        .max()
        .map_or("unknown", |(_, kind)| kind)
        .to_owned()
}

/// The commit that was measured, and whether something had been changed since.
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(root())
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changed = git(&[
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        "crates",
    ]);
    match changed.is_some_and(|files| !files.is_empty()) {
        true => format!("{commit} with changes"),
        false => commit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described() {
        assert!(processor().contains("cores, "));
        assert!(kernel().starts_with("Linux "));
        assert_ne!(file_system(Path::new("/")), "unknown");
        assert_eq!(file_system(Path::new("/no/such/folder")), "unknown");
        assert!(!commit().is_empty());
    }
}
