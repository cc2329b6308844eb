//! Fuzz targets as plain functions: each takes any bytes and must return. What
//! was read is written again and must be the same, since one message has one
//! form.

use crate::confirmation::AwaitingConfirmation;
use crate::envelope::Envelope;
use crate::message::first::First;
use crate::message::second::Second;
use crate::message::third::{self, Third};
use crate::sealing::sealed::Sealed;
use crate::sealing::{MAX_SEALED, statement, status};

/// Message 1, and its payload by itself.
pub fn first(data: &[u8]) {
    fn payload(bytes: &[u8]) {
        if let Ok(read) = First::decode(bytes) {
            assert_eq!(read.encode().as_slice(), bytes);
        }
    }
    if let Ok(envelope) = Envelope::read(data) {
        payload(envelope.payload());
        let _ = envelope.check(&envelope.chain()[0], crate::error::Message::First);
    }
    payload(data);
}

/// Message 2, and its payload by itself.
pub fn second(data: &[u8]) {
    fn payload(bytes: &[u8]) {
        if let Ok(read) = Second::decode(bytes) {
            let again = read
                .head
                .payload(read.sealed.as_deref(), &read.confirmation);
            assert_eq!(again.as_slice(), bytes);
        }
    }
    if let Ok(envelope) = Envelope::read(data) {
        payload(envelope.payload());
    }
    payload(data);
}

/// Message 3.
pub fn third(data: &[u8]) {
    if let Ok(read) = Third::decode(data) {
        let again = third::encode(&third::payload(&read.second), &read.tag);
        assert_eq!(again.as_slice(), data);
    }
}

/// What the store keeps between messages 2 and 3.
pub fn waiting(data: &[u8]) {
    if let Ok(read) = AwaitingConfirmation::from_record(data) {
        assert_eq!(read.to_record().expose(), data);
    }
}

/// A sealing key's statement, and its payload by itself.
pub fn statement(data: &[u8]) {
    fn payload(bytes: &[u8]) {
        if let Ok(read) = statement::Payload::decode(bytes) {
            assert_eq!(read.encode().as_slice(), bytes);
        }
    }
    if let Ok(envelope) = Envelope::read(data) {
        payload(envelope.payload());
    }
    payload(data);
}

/// A sealed message, and its payload by itself.
pub fn sealed(data: &[u8]) {
    fn payload(bytes: &[u8]) {
        if let Ok(read) = Sealed::decode(bytes) {
            let again = read.head.payload(read.sealed, &read.commitment);
            assert_eq!(again.as_slice(), bytes);
        }
    }
    if let Ok(envelope) = Envelope::read_within(data, MAX_SEALED) {
        payload(envelope.payload());
    }
    payload(data);
}

/// What the directory says of a statement, and its payload by itself.
pub fn status(data: &[u8]) {
    fn payload(bytes: &[u8]) {
        if let Ok(read) = status::Payload::decode(bytes) {
            assert_eq!(read.encode().as_slice(), bytes);
        }
    }
    if let Ok(envelope) = Envelope::read(data) {
        payload(envelope.payload());
    }
    payload(data);
}
