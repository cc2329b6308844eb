//! PEM, with any labels and text around the blocks.

use base64::Engine;

/// The blocks of a text: label and DER.
pub fn pem(text: &str) -> crate::Result<Vec<(String, Vec<u8>)>> {
    let mut blocks = Vec::new();
    let mut label = None;
    let mut body = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("-----BEGIN ") {
            label = Some(rest.trim_end_matches('-').to_owned());
            body.clear();
        } else if line.starts_with("-----END ") {
            let der = base64::engine::general_purpose::STANDARD.decode(&body)?;
            blocks.push((label.take().ok_or("END without BEGIN")?, der));
        } else if label.is_some() {
            body.push_str(line.trim());
        }
    }
    Ok(blocks)
}
