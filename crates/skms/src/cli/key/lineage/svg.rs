//! A lineage as a picture: one row for each step away from what nothing is
//! above, boxes in it, lines between them.

use std::collections::HashMap;
use std::fmt::Write as _;

use skms_wire::native::incidents::{LineageNode, LineageView};

use super::text::label;

const BOX_WIDTH: usize = 190;
const BOX_HEIGHT: usize = 44;
const GAP: usize = 20;
const ROW: usize = 104;
const MARGIN: usize = 24;
/// Letters that a line of a box has room for.
const LETTERS: usize = 27;

/// The picture.
pub(super) fn picture(lineage: &LineageView) -> String {
    let rows = rows(lineage);
    let widest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = 2 * MARGIN + widest * BOX_WIDTH + widest.saturating_sub(1) * GAP;
    let height = 2 * MARGIN + rows.len().saturating_sub(1) * ROW + BOX_HEIGHT;
    let mut places = HashMap::new();
    for (row, nodes) in rows.iter().enumerate() {
        let taken = nodes.len() * BOX_WIDTH + nodes.len().saturating_sub(1) * GAP;
        let left = (width.saturating_sub(taken)) / 2;
        for (column, node) in nodes.iter().enumerate() {
            let x = left + column * (BOX_WIDTH + GAP);
            places.insert(node.id.as_str(), (x, MARGIN + row * ROW));
        }
    }
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\" \
         role=\"img\" aria-label=\"Lineage of a key\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for edge in &lineage.edges {
        let from = places.get(edge.from.as_str());
        let to = places.get(edge.to.as_str());
        if let (Some((x1, y1)), Some((x2, y2))) = (from, to) {
            line(
                &mut out,
                (x1 + BOX_WIDTH / 2, y1 + BOX_HEIGHT),
                (x2 + BOX_WIDTH / 2, *y2),
                &edge.how,
            );
        }
    }
    for nodes in &rows {
        for node in nodes {
            if let Some(place) = places.get(node.id.as_str()) {
                draw(&mut out, node, *place, lineage.of.contains(&node.id));
            }
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Each thing in the row below everything that it depends on.
fn rows(lineage: &LineageView) -> Vec<Vec<&LineageNode>> {
    let mut depth: HashMap<&str, usize> = lineage
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), 0))
        .collect();
    // As often as there are things, for what hangs together in a ring.
    for _ in 0..lineage.nodes.len() {
        let mut moved = false;
        for edge in &lineage.edges {
            let above = depth.get(edge.from.as_str()).copied().unwrap_or_default();
            let below = depth.entry(edge.to.as_str()).or_default();
            if *below <= above && above + 1 < lineage.nodes.len() {
                *below = above + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let deepest = depth.values().copied().max().unwrap_or_default();
    let mut rows = vec![Vec::new(); deepest + 1];
    for node in &lineage.nodes {
        let at = depth.get(node.id.as_str()).copied().unwrap_or_default();
        if let Some(row) = rows.get_mut(at) {
            row.push(node);
        }
    }
    rows.retain(|row| !row.is_empty());
    rows
}

fn line(out: &mut String, (x1, y1): (usize, usize), (x2, y2): (usize, usize), how: &str) {
    let bend = y1.midpoint(y2);
    let (x, y) = (x1.midpoint(x2), bend + 4);
    let _ = writeln!(
        out,
        "<path d=\"M{x1},{y1} C{x1},{bend} {x2},{bend} {x2},{y2}\" fill=\"none\" \
         stroke=\"#8a94a6\"/>\n\
         <text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#5b6475\" font-size=\"10\" \
         stroke=\"#ffffff\" stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
        escaped(how)
    );
}

fn draw(out: &mut String, node: &LineageNode, (x, y): (usize, usize), own: bool) {
    let (fill, stroke) = colours(node);
    let width = if own { 3 } else { 1 };
    let kind = match node.version {
        Some(version) => format!("{} version {version}", node.kind),
        None => node.kind.clone(),
    };
    let kind = match &node.state {
        Some(state) => format!("{kind}, {state}"),
        None => kind,
    };
    let (first, second) = (y + 18, y + 35);
    let middle = x + BOX_WIDTH / 2;
    let _ = writeln!(
        out,
        "<g><title>{}</title>\n\
         <rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"6\" \
         fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"{width}\"/>\n\
         <text x=\"{middle}\" y=\"{first}\" text-anchor=\"middle\" fill=\"#1c2333\">{}</text>\n\
         <text x=\"{middle}\" y=\"{second}\" text-anchor=\"middle\" fill=\"#5b6475\" \
         font-size=\"10\">{}</text></g>",
        escaped(&label(node)),
        escaped(&short(&node.name)),
        escaped(&short(&kind)),
    );
}

fn colours(node: &LineageNode) -> (&'static str, &'static str) {
    match (node.kind.as_str(), node.state.as_deref()) {
        (_, Some("compromised")) => ("#fde2e1", "#b42318"),
        (_, Some("suspended")) => ("#fff2cc", "#b7791f"),
        (_, Some("destroyed" | "deactivated")) => ("#eceff4", "#8a94a6"),
        ("key" | "root", _) => ("#e3efff", "#2f6fd0"),
        ("more", _) => ("#ffffff", "#8a94a6"),
        _ => ("#e6f5ea", "#2b8a4b"),
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LETTERS - 1).collect();
    short.push('\u{2026}');
    short
}

/// Text as XML has it; what XML has no place for is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::text::tests::sample;
    use super::*;

    #[test]
    fn every_box_is_in_the_picture_and_none_on_another() {
        let names: Vec<String> = (0..28).map(|number| format!("k{number}")).collect();
        let mut edges = vec![("a", "b")];
        edges.extend(names.iter().map(|name| ("b", name.as_str())));
        let view = sample(&edges);
        let picture = picture(&view);
        let number = |tag: &str, name: &str| -> usize {
            let from = tag.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
            tag[from..].split('"').next().unwrap().parse().unwrap()
        };
        let (width, height) = (number(&picture, "width"), number(&picture, "height"));
        let boxes: Vec<(usize, usize)> = picture
            .split("<rect x=")
            .skip(1)
            .map(|tag| format!(" x={tag}"))
            .map(|tag| (number(&tag, "x"), number(&tag, "y")))
            .collect();
        assert_eq!(boxes.len(), view.nodes.len());
        for (position, (x, y)) in boxes.iter().enumerate() {
            assert!(x + BOX_WIDTH <= width && y + BOX_HEIGHT <= height);
            for (other_x, other_y) in &boxes[..position] {
                let apart = x.abs_diff(*other_x) >= BOX_WIDTH || y.abs_diff(*other_y) >= BOX_HEIGHT;
                assert!(apart, "({x},{y}) on ({other_x},{other_y})");
            }
        }
    }

    #[test]
    fn names_cannot_break_out() {
        let mut view = sample(&[("a", "b")]);
        view.nodes[0].name = "<script>alert(\"x\")</script>&'\u{7}".to_owned();
        let picture = picture(&view);
        assert!(
            !picture.contains("<script>") && !picture.contains('\u{7}'),
            "{picture}"
        );
        assert!(picture.contains("&lt;script&gt;alert(&quot;"));
    }

    #[test]
    fn a_ring_is_drawn() {
        let picture = picture(&sample(&[("a", "b"), ("b", "a")]));
        assert_eq!(picture.matches("<g>").count(), 2);
    }
}
