//! A lineage as a tree: each thing where one comes to it first, and a hint
//! wherever else it hangs.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use skms_wire::native::incidents::{LineageNode, LineageView};

/// What a thing is called.
pub(super) fn label(node: &LineageNode) -> String {
    let mut label = match node.kind.as_str() {
        "key" | "root" | "more" => node.name.clone(),
        kind => format!("{kind} {}", node.name),
    };
    if let Some(version) = node.version {
        let _ = write!(label, " version {version}");
    }
    if let Some(state) = &node.state {
        let _ = write!(label, " {state}");
    }
    label
}

struct Tree<'a> {
    lineage: &'a LineageView,
    nodes: HashMap<&'a str, &'a LineageNode>,
    shown: HashSet<&'a str>,
    out: String,
}

/// The tree.
pub(super) fn tree(lineage: &LineageView) -> String {
    let mut tree = Tree {
        lineage,
        nodes: lineage
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect(),
        shown: HashSet::new(),
        out: String::new(),
    };
    let below: HashSet<&str> = lineage.edges.iter().map(|edge| edge.to.as_str()).collect();
    for node in &lineage.nodes {
        if !below.contains(node.id.as_str()) {
            tree.node(node, "", "", None);
        }
    }
    // What hangs together in a ring has no top.
    for node in &lineage.nodes {
        if !tree.shown.contains(node.id.as_str()) {
            tree.node(node, "", "", None);
        }
    }
    if lineage.truncated {
        tree.out.push_str("There is more than is shown here.\n");
    }
    tree.out
}

impl<'a> Tree<'a> {
    fn node(&mut self, node: &'a LineageNode, first: &str, rest: &str, how: Option<&str>) {
        let how = how.map_or_else(String::new, |how| format!("{how}: "));
        let mark = match self.lineage.of.contains(&node.id) {
            true => "  <- this key",
            false => "",
        };
        let again = !self.shown.insert(node.id.as_str());
        let again = if again { " (above)" } else { "" };
        let _ = writeln!(self.out, "{first}{how}{}{again}{mark}", label(node));
        if !again.is_empty() {
            return;
        }
        let edges = self.lineage.edges.iter();
        let below: Vec<_> = edges
            .filter(|edge| edge.from == node.id)
            .filter_map(|edge| Some((edge.how.as_str(), *self.nodes.get(edge.to.as_str())?)))
            .collect();
        let last = below.len().saturating_sub(1);
        for (position, (how, child)) in below.into_iter().enumerate() {
            let (branch, stem) = match position == last {
                true => ("`- ", "   "),
                false => ("|- ", "|  "),
            };
            let (first, rest) = (format!("{rest}{branch}"), format!("{rest}{stem}"));
            self.node(child, &first, &rest, Some(how));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use skms_wire::native::incidents::LineageEdge;

    use super::*;

    pub(in super::super) fn sample(edges: &[(&str, &str)]) -> LineageView {
        let mut nodes: Vec<LineageNode> = Vec::new();
        for (from, to) in edges {
            for id in [from, to] {
                if nodes.iter().all(|node| node.id != *id) {
                    nodes.push(LineageNode {
                        id: (*id).to_owned(),
                        kind: "key".to_owned(),
                        name: (*id).to_owned(),
                        version: Some(1),
                        state: Some("active".to_owned()),
                        count: None,
                    });
                }
            }
        }
        let edge = |(from, to): &(&str, &str)| LineageEdge {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
            how: "derived".to_owned(),
        };
        LineageView {
            nodes,
            edges: edges.iter().map(edge).collect(),
            of: vec!["b".to_owned()],
            truncated: false,
        }
    }

    #[test]
    fn each_thing_is_written_once_with_what_hangs_on_it() {
        let text = tree(&sample(&[("a", "b"), ("b", "c"), ("a", "d"), ("d", "c")]));
        assert_eq!(
            text,
            "a version 1 active\n\
             |- derived: b version 1 active  <- this key\n\
             |  `- derived: c version 1 active\n\
             `- derived: d version 1 active\n   \
                `- derived: c version 1 active (above)\n"
        );
    }

    #[test]
    fn a_ring_ends() {
        let text = tree(&sample(&[("a", "b"), ("b", "a")]));
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}
