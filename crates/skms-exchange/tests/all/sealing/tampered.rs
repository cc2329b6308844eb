//! Every byte of every message counts, and its old signature is no new one's.

use skms_exchange::Error;
use skms_exchange::sealing::{Described, Status};

use super::{Post, query};

/// Bits are flipped one to a byte, another one in the next.
fn flipped(message: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = message.to_vec();
    flipped[at] ^= 1 << (at % 8);
    flipped
}

fn refused<T>(result: Result<T, Error>, at: usize) {
    let error = result.err().unwrap_or_else(|| panic!("byte {at} accepted"));
    assert!(error.is_refusal(), "byte {at}: {error}");
}

#[test]
fn no_byte_of_a_statement_can_be_flipped() {
    let post = Post::new();
    let stated = post.stated();
    for at in 0..stated.len() {
        refused(post.take(&flipped(&stated, at)), at);
    }
}

#[test]
fn no_byte_of_a_sealed_message_can_be_flipped() {
    let post = Post::new();
    let stated = [post.stated()];
    let message = post.sealed(&stated[0]);
    for at in 0..message.len() {
        refused(post.open(&flipped(&message, at), &stated), at);
    }
}

#[test]
fn no_byte_of_the_directorys_word_can_be_flipped() {
    let post = Post::new();
    let hash = Described::read(&post.stated()).unwrap().hash;
    let question = query();
    let answer = post.word(&question, &hash, Status::Good);
    let nonce = *question.nonce();
    for at in 0..answer.len() {
        // The same question each time: whoever asks takes one answer.
        let again = skms_exchange::sealing::StatusQuery::new(&mut |out: &mut [u8]| {
            out.copy_from_slice(&nonce);
            Ok(())
        });
        refused(post.heard(again.unwrap(), &flipped(&answer, at), &hash), at);
    }
    assert!(post.heard(question, &answer, &hash).is_ok());
}

#[test]
fn nothing_can_be_cut_off_or_added() {
    let post = Post::new();
    let stated = [post.stated()];
    let message = post.sealed(&stated[0]);
    for message in [
        &message[..message.len() - 1],
        &[&message[..], &[0]].concat(),
        &[],
    ] {
        assert_eq!(post.unopened(message, &stated), "malformed");
    }
    let long = vec![0; skms_exchange::sealing::MAX_SEALED + 1];
    assert_eq!(post.unopened(&long, &stated), "too-long");
    assert_eq!(post.untaken(&vec![0; 65_537]), "too-long");
    // One for another.
    assert_eq!(post.untaken(&message), "wrong-message");
    assert_eq!(post.unopened(&stated[0], &stated), "wrong-message");
}
