//! Measures how long it takes to look at an RSA key, to hold all stored moduli
//! against each other, and to hold a new one against them. `cargo xtask bench
//! --only weak` runs it; by hand:
//!
//! ```text
//! cargo run --release --package skms-weak --example shared_factors -- 100000
//! ```
//!
//! The moduli are random numbers of 2048 bits without factors up to 65537, which
//! are as good here as products of primes and made in seconds. Two of them get
//! a common factor, which has to be found.

#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use dashu_int::UBig;
use dashu_int::ops::Gcd;
use skms_weak::{Detector, Moduli, PublicKey, batch, check};

/// New moduli that are held against all others, one by one.
const NEW: usize = 20;

fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let count: usize = count.unwrap_or(100_000);
    let mut random = Random(0x5eed);
    let small = [primorial(2, 1000), primorial(1000, 65_537)];
    let mut moduli: Vec<UBig> = (0..count + NEW)
        .map(|_| modulus(&mut random, &small))
        .collect();
    let factor = half(&mut random, &small);
    for at in [1, count / 2] {
        moduli[at] = &factor * half(&mut random, &small);
    }
    let new = moduli.split_off(count);

    let begun = Instant::now();
    let shares = batch::shared_factors(&moduli, &|| true).unwrap_or_default();
    let batch = begun.elapsed();
    assert!(
        shares[1] && shares[count / 2],
        "the common factor was not found"
    );

    let mut known = Moduli::default();
    let begun = Instant::now();
    for (number, n) in (0..).zip(&moduli) {
        known.insert(n, number);
    }
    let insert = begun.elapsed();
    let related = &factor * half(&mut random, &small);
    assert!(known.sharing(&related).others.contains(&1));
    let mut each: Vec<Duration> = new
        .iter()
        .map(|n| {
            let begun = Instant::now();
            let _ = known.sharing(n);
            begun.elapsed()
        })
        .collect();
    each.sort_unstable();

    let e = UBig::from(65_537_u32);
    let keys: Vec<PublicKey> = new
        .iter()
        .map(|n| PublicKey::rsa(n.clone(), e.clone()))
        .collect();
    // What is made once, at the first key.
    let _ = check(&keys[0], []);
    let begun = Instant::now();
    let found: usize = keys.iter().map(|key| check(key, []).len()).sum();
    let look = begun.elapsed() / u32::try_from(NEW).unwrap_or(1);
    assert_eq!(found, 0, "{:?}", Detector::ALL);

    println!("moduli={count}");
    println!("batch_seconds={:.1}", batch.as_secs_f64());
    println!(
        "insert_microseconds={:.1}",
        insert.as_secs_f64() * 1e6 / count as f64
    );
    println!("one_milliseconds={:.2}", each[NEW / 2].as_secs_f64() * 1e3);
    println!("look_milliseconds={:.2}", look.as_secs_f64() * 1e3);
    println!("peak_megabytes={}", peak());
}

/// The most memory that this process ever had, in megabytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1000
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of so many words whose highest bits are set.
    fn number(&mut self, words: usize) -> UBig {
        let mut bytes: Vec<u8> = (0..words).flat_map(|_| self.next().to_be_bytes()).collect();
        bytes[0] |= 0xc0;
        UBig::from_be_bytes(&bytes)
    }
}

fn without(random: &mut Random, words: usize, small: &[UBig; 2]) -> UBig {
    loop {
        let number = random.number(words);
        if small
            .iter()
            .all(|primes| (primes % &number).gcd(&number).is_one())
        {
            return number;
        }
    }
}

fn modulus(random: &mut Random, small: &[UBig; 2]) -> UBig {
    without(random, 32, small)
}

fn half(random: &mut Random, small: &[UBig; 2]) -> UBig {
    without(random, 16, small)
}

fn primorial(from: usize, to: usize) -> UBig {
    let prime = |n: &usize| {
        (2..)
            .take_while(|d| d * d <= *n)
            .all(|d| !n.is_multiple_of(d))
    };
    (from..=to)
        .filter(prime)
        .fold(UBig::ONE, |product, n| product * UBig::from(n))
}
