//! Every parser of this room as a plain function of bytes, for libFuzzer and
//! for the tests that replay its corpus. They may refuse; they may not panic.

use std::sync::OnceLock;

use skms_crypto::rest::RecordKey;
use skms_crypto::shamir::Share;

use crate::file_journal::frame::{FrameCipher, FrameHeader};
use crate::file_journal::segment::{self, SegmentHeader};
use crate::sealed::header::Header;
use crate::sealed::key_file;

fn key() -> Option<RecordKey> {
    RecordKey::derive(&[7; 32], b"fuzz", &[]).ok()
}

/// A segment's file: header, link and frames.
pub fn journal_segment(bytes: &[u8]) {
    static CIPHER: OnceLock<Option<FrameCipher>> = OnceLock::new();
    let Some(cipher) = CIPHER.get_or_init(|| key().map(|key| FrameCipher { key, segment: 1 }))
    else {
        return;
    };
    if let Ok(header) = SegmentHeader::parse(bytes) {
        let _ = header.link(&cipher.key, bytes);
    }
    let _ = segment::scan(bytes, cipher, 0, |_| {});
}

/// One frame, its header by itself and with its body.
pub fn journal_frame(bytes: &[u8]) {
    let _ = FrameHeader::parse(bytes);
    if let Some(key) = key() {
        let _ = FrameCipher { key, segment: 1 }.open(bytes);
    }
}

/// The store's header.
pub fn store_header(bytes: &[u8]) {
    let _ = Header::parse(bytes);
}

/// A backup's file.
pub fn backup_file(bytes: &[u8]) {
    let _ = crate::backup::fuzz_reader(bytes);
}

/// A share as an operator types it.
pub fn share_text(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Share::from_text(text);
    }
}

/// The contents of a key file.
pub fn key_file(bytes: &[u8]) {
    let _ = key_file::parse(bytes);
}
