//! Every relative link in the papers leads somewhere, anchors included.

use super::tree::Tree;

pub fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts(|path| path.ends_with(".md") && !path.starts_with("testdata/")) {
        for (number, link) in links(text) {
            if let Some(wrong) = wrong(tree, path, &link) {
                findings.push(format!("{path}:{number}: link to {link}: {wrong}"));
            }
        }
    }
    findings
}

/// Why the link does not hold, if it does not.
fn wrong(tree: &Tree, paper: &str, link: &str) -> Option<&'static str> {
    let elsewhere = link.contains("://") || link.starts_with("mailto:");
    if elsewhere || link.is_empty() {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() {
        paper.to_owned()
    } else if file.starts_with('/') {
        return Some("must be relative");
    } else {
        match resolve(paper, file) {
            Some(target) => target,
            None => return Some("leads out of the tree"),
        }
    };
    if !tree.has(&target) {
        return Some("there is no such file");
    }
    if anchor.is_empty() || !target.ends_with(".md") {
        return None;
    }
    let text = tree.text(&target).unwrap_or("");
    let found = anchors(text).iter().any(|known| known == anchor);
    (!found).then_some("there is no such heading")
}

fn resolve(paper: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = paper.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The links of a paper with their lines: `[text](target)`, `[name]: target`,
/// and HTML's `src` and `href`. Code is left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for start in ["](", "src=\"", "href=\""] {
            for (place, _) in line.match_indices(start) {
                let rest = &line[place + start.len()..];
                let end = rest.find([')', '"', ' ']).unwrap_or(rest.len());
                found.push((number, rest[..end].to_owned()));
            }
        }
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            let target = target.split_whitespace().next().unwrap_or("");
            found.push((number, target.to_owned()));
        }
    }
    found
}

/// The lines outside fenced blocks, with inline code taken out.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        let start = line.trim_start();
        if start.starts_with("```") || start.starts_with("~~~") {
            fenced = !fenced;
        } else if !fenced {
            let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            lines.push((index + 1, outside));
        }
    }
    lines
}

/// The anchors of a paper's headings, made as the usual forges make them.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let heading = line.trim_start_matches('#');
        if fenced || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let base: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|character| match character {
                ' ' => Some('-'),
                '-' | '_' => Some(character),
                _ if character.is_alphanumeric() => Some(character),
                _ => None,
            })
            .collect();
        let mut anchor = base.clone();
        let mut again = 0;
        while anchors.contains(&anchor) {
            again += 1;
            anchor = format!("{base}-{again}");
        }
        anchors.push(anchor);
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        check(&Tree::of(&[
            ("docs/a.md", text),
            (
                "docs/b.md",
                "# Title\n## Keys, and `seals`\n## Again\n## Again\n",
            ),
            ("README.md", "# Readme\n"),
            ("docs/picture.svg", ""),
        ]))
    }

    #[test]
    fn good_links_pass() {
        let text = "# Here\n[b](b.md) ![p](picture.svg) [up](../README.md) [top](#here)\n\
            [h](b.md#keys-and-seals) [2](b.md#again-1) [web](https://example.org/x)\n\
            [folder](../docs) `[not](a-link.md)`\n```\n[nor](this.md)\n```\n[r]: b.md\n\
            <img src=\"picture.svg\">\n";
        assert_eq!(findings(text), Vec::<String>::new());
    }

    #[test]
    fn bad_links_are_found() {
        for link in [
            "[x](c.md)",
            "[x](../../outside.md)",
            "[x](/docs/b.md)",
            "[x](b.md#nothing)",
            "[x](#nothing)",
            "<img src=\"no.png\">",
            "[x]: no.md",
        ] {
            assert_eq!(findings(link).len(), 1, "{link}");
        }
    }
}
