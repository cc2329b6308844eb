//! How fast the cryptographic library encrypts what a file is made of: pieces
//! of 64 KiB by ChaCha20-Poly1305, on one thread.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use crate::Result;

const CHUNK: usize = 64 * 1024;

/// Prints how many bytes a second of CPU time, as `openssl speed` counts.
///
/// # Errors
/// The library refuses a key, which it does not; the system does not tell the
/// thread's time.
pub fn run(arguments: &[String]) -> Result {
    let seconds = match arguments {
        [] => 1.0,
        [flag, number] if flag == "--seconds" => number.parse()?,
        _ => return Err("usage: skms-bench chunks [--seconds N]".into()),
    };
    let time = Duration::try_from_secs_f64(seconds)?;
    let key = UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).map_err(|_| "no key")?;
    let key = LessSafeKey::new(key);
    let mut chunk = vec![1; CHUNK];
    let (start, before, mut count) = (Instant::now(), on_cpu()?, 0u64);
    loop {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&count.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut chunk)
            .map_err(|_| "it does not encrypt")?;
        let _ = black_box(tag);
        count += 1;
        if start.elapsed() >= time {
            break;
        }
    }
    let took = Duration::from_nanos(on_cpu()? - before).as_secs_f64();
    println!("{:.0}", (count * CHUNK as u64) as f64 / took.max(1e-9));
    Ok(())
}

/// How long this thread has run so far, in nanoseconds.
fn on_cpu() -> Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split(' ').next().unwrap_or_default();
    Ok(first.parse()?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_rate_is_measured() {
        let words = ["--seconds", "0.001"].map(str::to_owned);
        super::run(&words).unwrap();
        assert!(super::run(&["--minutes".to_owned()]).is_err());
    }
}
