//! Draws what the demo really printed, as `docs/demo.svg` for the README.

use std::fs;
use std::process::Stdio;

use crate::Result;
use crate::command::{cargo, root, say, show};

const LINE_HEIGHT: usize = 18;
const CHARACTER_WIDTH: f64 = 7.85;
const MARGIN: usize = 16;
/// Longer lines are cut, so that the picture stays readable.
const COLUMNS: usize = 118;

/// Runs the demo and draws its output.
///
/// # Errors
/// The demo failed, or the picture cannot be written.
pub fn draw() -> Result {
    let mut demo = cargo();
    demo.args(["run", "--release", "--quiet", "--", "demo"])
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    show(&demo);
    let output = demo.output()?;
    if !output.status.success() {
        return Err("the demo failed".into());
    }
    let text = String::from_utf8(output.stdout)?;
    let path = root().join("docs/demo.svg");
    fs::write(&path, svg(&text))?;
    say(&format!("drew {}", path.display()));
    Ok(())
}

/// The text on a dark ground, in a fixed-width font.
fn svg(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.chars().take(COLUMNS).collect())
        .collect();
    let columns = lines
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0);
    let width = (columns as f64 * CHARACTER_WIDTH) as usize + 2 * MARGIN;
    let height = lines.len() * LINE_HEIGHT + 2 * MARGIN;
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"ui-monospace, Menlo, Consolas, \
         monospace\" font-size=\"13\" role=\"img\" aria-label=\"Output of skms demo\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#16181d\"/>\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let y = MARGIN + LINE_HEIGHT * number + 13;
        let colour = if line.contains('✓') || line.contains(" proofs in ") {
            "#7fd18b"
        } else {
            "#d7dae0"
        };
        picture.push_str(&format!(
            "<text x=\"{MARGIN}\" y=\"{y}\" fill=\"{colour}\" xml:space=\"preserve\">{}</text>\n",
            escape(line)
        ));
    }
    picture.push_str("</svg>\n");
    picture
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_drawn_and_marks_are_escaped() {
        let picture = svg("1 <a> & b\n  proof x\n");
        assert!(picture.contains("1 &lt;a&gt; &amp; b"));
        assert_eq!(picture.matches("<text ").count(), 2);
        assert!(picture.ends_with("</svg>\n"));
    }
}
