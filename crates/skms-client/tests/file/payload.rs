//! Payloads of every size, tampered with, on several threads.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use skms_client::file::{Armor, FileError, FileKey, SealedFile, Stanza, X25519Identity, seal};

const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

fn key() -> FileKey {
    FileKey::from_bytes(&[7; 16]).unwrap()
}

fn stanza() -> Stanza {
    Stanza {
        tag: "test".into(),
        arguments: vec!["a".into()],
        body: vec![1; 40],
    }
}

fn data(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

fn sealed(data: &[u8], threads: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let seen = AtomicU64::new(0);
    let count = |n| {
        seen.fetch_add(n, Ordering::Relaxed);
    };
    let written = seal(
        &key(),
        &[stanza()],
        &mut &data[..],
        &mut out,
        threads,
        &count,
    )
    .unwrap();
    assert_eq!(written, out.len() as u64);
    assert_eq!(seen.into_inner(), written - payload(&out) as u64);
    out
}

fn opened(file: &[u8], threads: usize) -> (Vec<u8>, Result<u64, FileError>) {
    let mut out = Vec::new();
    let result =
        SealedFile::read(file).and_then(|sealed| sealed.open(&key(), &mut out, threads, &|_| ()));
    (out, result)
}

/// Where the payload's first chunk begins.
fn payload(file: &[u8]) -> usize {
    let mac = file
        .windows(5)
        .position(|window| window == b"\n--- ")
        .unwrap();
    mac + 5 + 43 + 1 + 16
}

#[test]
fn every_boundary_comes_back_on_any_number_of_threads() {
    let batch = 8 * CHUNK;
    for length in [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        2 * CHUNK,
        batch - 1,
        batch,
        batch + 1,
        batch + CHUNK,
        5 * batch,
        5 * batch + 17,
    ] {
        let data = data(length);
        for threads in [1, 2, 5] {
            let file = sealed(&data, threads);
            let chunks = length.div_ceil(CHUNK).max(1);
            assert_eq!(file.len(), payload(&file) + length + chunks * TAG);
            let (out, result) = opened(&file, threads);
            assert_eq!(result.unwrap(), length as u64, "{length} on {threads}");
            assert!(out == data, "{length} on {threads}");
        }
    }
}

#[test]
fn no_two_files_are_alike() {
    assert_ne!(sealed(b"same", 1), sealed(b"same", 1));
}

#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let file = sealed(b"attack at dawn", 1);
    for at in 0..file.len() {
        assert!(opened(&file[..at], 1).1.is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut altered = file.clone();
            altered[at] ^= 1 << bit;
            let (out, result) = opened(&altered, 1);
            assert!(result.is_err() && out.is_empty(), "byte {at}, bit {bit}");
        }
    }
    assert!(opened(&[&file[..], b"x"].concat(), 1).1.is_err());
    let other = FileKey::from_bytes(&[8; 16]).unwrap();
    let wrong = SealedFile::read(&file[..]).unwrap();
    assert!(matches!(
        wrong.open(&other, &mut io::sink(), 1, &|_| ()),
        Err(FileError::HeaderAltered)
    ));
}

#[test]
fn chunks_cannot_be_dropped_swapped_or_repeated() {
    let length = 40 * CHUNK;
    let whole = data(length);
    let file = sealed(&whole, 2);
    let (start, step) = (payload(&file), CHUNK + TAG);
    let chunks: Vec<&[u8]> = file[start..].chunks(step).collect();
    let all: Vec<usize> = (0..40).collect();
    let mut orders = vec![all[..39].to_vec(), all[1..].to_vec(), vec![39]];
    for at in [0, 7, 8, 20, 37] {
        let mut swapped = all.clone();
        swapped.swap(at, at + 1);
        let mut repeated = all.clone();
        repeated.insert(at, at);
        let mut dropped = all.clone();
        dropped.remove(at);
        orders.extend([swapped, repeated, dropped]);
    }
    orders.push([&all[..], &[39]].concat());
    for order in orders {
        let moved: Vec<u8> = order.iter().flat_map(|&at| chunks[at].to_vec()).collect();
        let moved = [&file[..start], &moved].concat();
        for threads in [1, 3] {
            let (out, result) = opened(&moved, threads);
            let good = order
                .iter()
                .zip(0..40)
                .take_while(|(at, place)| *at == place);
            assert_eq!(out.len(), good.count() * CHUNK, "{order:?}");
            assert!(whole.starts_with(&out));
            if order == all[..39] {
                assert!(matches!(result, Err(FileError::CutShort)));
            } else if order.starts_with(&all) {
                assert!(matches!(result, Err(FileError::Lengthened)));
            } else {
                let first = (out.len() / CHUNK + 1) as u64;
                assert!(
                    matches!(result, Err(FileError::Altered { chunk }) if chunk == first),
                    "{order:?}: {result:?}"
                );
            }
        }
    }
}

#[test]
fn an_armored_file_opens_like_any_other() {
    let data = data(100_000);
    let mut armor = Armor::new(Vec::new()).unwrap();
    seal(&key(), &[stanza()], &mut &data[..], &mut armor, 2, &|_| ()).unwrap();
    let text = String::from_utf8(armor.finish().unwrap()).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
    assert_eq!(opened(text.as_bytes(), 2).0, data);
    let windows = text.replace('\n', "\r\n");
    assert_eq!(opened(windows.as_bytes(), 2).0, data);
    let cut = &text[..text.len() - 200];
    assert!(matches!(
        opened(cut.as_bytes(), 2).1,
        Err(FileError::Armor(_))
    ));
}

#[test]
fn an_x25519_identity_opens_what_its_recipient_got() {
    let text = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
    let identity: X25519Identity = text.parse().unwrap();
    let recipient = identity.recipient();
    assert!(recipient.to_string().starts_with("age1"));
    let stanza = recipient.to_string().parse().map(|again| {
        assert_eq!(recipient, again);
        recipient.wrap(&key()).unwrap()
    });
    let stanza = stanza.unwrap();
    let opened = identity.unwrap(&stanza).unwrap().unwrap();
    assert_eq!(opened.expose(), key().expose());
    let mut altered = stanza.clone();
    altered.body[3] ^= 1;
    assert!(identity.unwrap(&altered).unwrap().is_none());
    // What is too long is refused before it is tried.
    altered.body.push(0);
    assert!(identity.unwrap(&altered).is_err());
    assert_eq!(format!("{identity:?}"), "X25519Identity(<redacted>)");
    for bad in [&text[1..], &text.replace('Q', "P"), &recipient.to_string()] {
        assert!(bad.parse::<X25519Identity>().is_err(), "{bad}");
    }
}

/// Fails after some bytes.
struct Failing<T>(T, usize);

impl<R: Read> Read for Failing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.1 == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let most = into.len().min(self.1);
        let count = self.0.read(&mut into[..most])?;
        self.1 -= count;
        Ok(count)
    }
}

impl<W: Write> Write for Failing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let count = self.0.write(&bytes[..bytes.len().min(self.1)])?;
        self.1 -= count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_disk_that_fails_ends_it_with_its_own_error() {
    for after in [
        0,
        1,
        CHUNK,
        2 * CHUNK,
        3 * CHUNK,
        30 * CHUNK + 5,
        60 * CHUNK,
    ] {
        for threads in [1, 4] {
            let mut input = Failing(io::repeat(3), after);
            let mut partial = Vec::new();
            let read = seal(
                &key(),
                &[stanza()],
                &mut input,
                &mut partial,
                threads,
                &|_| (),
            );
            assert!(matches!(read, Err(FileError::Read(_))), "{after}");
            // What was written before does not pass for a whole file.
            let (_, opens) = opened(&partial, threads);
            assert!(opens.is_err(), "{after}");
            let mut output = Failing(io::sink(), after);
            let mut input = io::repeat(3).take(100 * CHUNK as u64);
            let written = seal(
                &key(),
                &[stanza()],
                &mut input,
                &mut output,
                threads,
                &|_| (),
            );
            assert!(matches!(written, Err(FileError::Write(_))), "{after}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_on_is_not_called_cut_short() {
    let file = sealed(&data(8 * CHUNK), 1);
    let begins = payload(&file);
    for chunks in 1..8 {
        let whole = begins + chunks * (CHUNK + TAG);
        let input = Failing(file.as_slice(), whole);
        let opening = SealedFile::read(input).unwrap();
        let ended = opening.open(&key(), &mut io::sink(), 2, &|_| ());
        assert!(matches!(ended, Err(FileError::Read(_))), "{chunks}");
    }
}

#[test]
fn a_thread_that_panics_leaves_nobody_waiting() {
    let ended = std::panic::catch_unwind(|| {
        let mut input = io::repeat(3).take(1000 * CHUNK as u64);
        let panics = |_| panic!("on purpose");
        seal(&key(), &[stanza()], &mut input, &mut io::sink(), 4, &panics)
    });
    assert!(ended.is_err());
}

/// Gives a few bytes at a time, as a pipe does.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(1000);
        self.0.read(&mut into[..most])
    }
}

#[test]
fn pipes_that_give_little_at_a_time_are_read_to_their_end() {
    let data = data(20 * CHUNK + 99);
    let mut out = Vec::new();
    seal(
        &key(),
        &[stanza()],
        &mut Trickle(&data),
        &mut out,
        3,
        &|_| (),
    )
    .unwrap();
    let mut back = Vec::new();
    SealedFile::read(Trickle(&out))
        .unwrap()
        .open(&key(), &mut back, 3, &|_| ())
        .unwrap();
    assert!(back == data);
}
