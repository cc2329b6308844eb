//! Makes a lineage small enough for a picture: things of one kind that hang on
//! the same one, with nothing on them, become one that counts them.

use std::collections::{HashMap, HashSet};

use skms_wire::native::incidents::{LineageEdge, LineageNode, LineageView};

/// Things that a picture has room for.
pub(super) const READABLE: usize = 30;
/// Of those that are alike, so many stay.
const KEPT: usize = 3;

/// Folds what is too much.
pub(super) fn fold(lineage: &LineageView, readable: usize) -> LineageView {
    let mut folded = lineage.clone();
    // From the ends inwards, until it fits or nothing more can be folded.
    while folded.nodes.len() > readable {
        let before = folded.nodes.len();
        once(&mut folded);
        if folded.nodes.len() >= before {
            break;
        }
    }
    folded
}

/// Things that are alike: what they hang on, what they are and in what way.
type Crowd = ((String, String, String), Vec<String>);

fn once(lineage: &mut LineageView) {
    let parents: HashSet<&str> = lineage
        .edges
        .iter()
        .map(|edge| edge.from.as_str())
        .collect();
    let mut under: HashMap<&str, Vec<&LineageEdge>> = HashMap::new();
    for edge in &lineage.edges {
        under.entry(edge.to.as_str()).or_default().push(edge);
    }
    let mut alike: Vec<Crowd> = Vec::new();
    for node in &lineage.nodes {
        let ends = !parents.contains(node.id.as_str()) && !lineage.of.contains(&node.id);
        let Some([edge]) = under.get(node.id.as_str()).map(Vec::as_slice) else {
            continue;
        };
        if !ends {
            continue;
        }
        let kind = match node.kind.as_str() {
            "more" => "key".to_owned(),
            kind => kind.to_owned(),
        };
        let how = match edge.how.as_str() {
            "more" => "derived",
            how => how,
        };
        let group = (edge.from.clone(), kind, how.to_owned());
        match alike.iter_mut().find(|(known, _)| *known == group) {
            Some((_, ids)) => ids.push(node.id.clone()),
            None => alike.push((group, vec![node.id.clone()])),
        }
    }
    // The largest crowd first.
    alike.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
    let Some(((from, kind, how), ids)) = alike.into_iter().next() else {
        return;
    };
    let gone: HashSet<String> = ids.into_iter().skip(KEPT.saturating_sub(1)).collect();
    if gone.len() < 2 {
        return;
    }
    let counted = |node: &LineageNode| node.count.unwrap_or(1);
    let sum: u64 = (lineage.nodes.iter())
        .filter(|node| gone.contains(&node.id))
        .map(counted)
        .sum();
    lineage.nodes.retain(|node| !gone.contains(&node.id));
    lineage.edges.retain(|edge| !gone.contains(&edge.to));
    let id = format!("{from}/{kind}/{how}/folded");
    lineage.nodes.push(LineageNode {
        id: id.clone(),
        kind: "more".to_owned(),
        name: format!("{sum} more ({kind})"),
        version: None,
        state: None,
        count: Some(sum),
    });
    lineage.edges.push(LineageEdge { from, to: id, how });
}

#[cfg(test)]
mod tests {
    use super::super::text::tests::sample;
    use super::*;

    #[test]
    fn crowds_become_one_and_nobody_is_lost() {
        let names: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
        let mut edges = vec![("a", "b"), ("b", "c")];
        edges.extend(names.iter().map(|name| ("b", name.as_str())));
        let whole = sample(&edges);
        let folded = fold(&whole, READABLE);
        assert!(folded.nodes.len() <= READABLE, "{}", folded.nodes.len());
        let sum: u64 = folded
            .nodes
            .iter()
            .map(|node| node.count.unwrap_or(1))
            .sum();
        assert_eq!(sum, whole.nodes.len() as u64);
        for edge in &folded.edges {
            assert!(folded.nodes.iter().any(|node| node.id == edge.to));
        }
        let small = sample(&[("a", "b"), ("b", "c")]);
        assert_eq!(fold(&small, READABLE).nodes.len(), 3);
    }

    #[test]
    fn what_cannot_be_folded_ends_too() {
        let names: Vec<String> = (0..60).map(|number| format!("k{number:02}")).collect();
        let edges: Vec<_> = names
            .windows(2)
            .map(|two| (two[0].as_str(), two[1].as_str()))
            .collect();
        assert_eq!(fold(&sample(&edges), READABLE).nodes.len(), 60);
    }
}
