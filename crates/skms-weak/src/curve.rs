//! Points of curves in short Weierstrass form.

mod table;

use std::collections::HashSet;
use std::sync::LazyLock;

use dashu_int::UBig;

use crate::finding::{Detector, Finding};
use crate::number::{bits, inverse, minus, power};

pub(crate) use table::{Curve, named};

/// Private keys up to this number are looked for.
const SMALL_SCALARS: usize = 256;

/// The shortest field of a curve that is not called small.
const LEAST_BITS: usize = 224;

/// All curves that are known here.
pub(crate) fn all() -> impl Iterator<Item = &'static Curve> {
    table::CURVES.iter().copied()
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its curve, if it is one that is known here.
    pub(crate) curve: Option<&'static Curve>,
    /// Whether the curve's numbers are spelled out.
    pub(crate) explicit: bool,
    /// Absent for the point at infinity.
    pub(crate) xy: Option<(UBig, Y)>,
}

/// The other coordinate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Y {
    /// Spelled out.
    Full(UBig),
    /// Compressed: whether it is odd.
    Odd(bool),
}

/// Looks at a point.
pub(crate) fn check(point: &Point) -> Vec<Finding> {
    let mut findings = Vec::new();
    if point.explicit {
        findings.push(match point.curve {
            Some(curve) => Finding::weak(
                Detector::CurvePoint,
                format!(
                    "the curve {} is spelled out and not named: certificates may not (RFC 5480), \
                     and who reads it may take another for it (CVE-2020-0601)",
                    curve.name
                ),
            ),
            None => Finding::compromised(
                Detector::CurvePoint,
                "the curve is spelled out and nobody's: whoever chose it may know the private key",
            ),
        });
    }
    let Some((x, y)) = &point.xy else {
        findings.push(Finding::compromised(
            Detector::CurvePoint,
            "the point is at infinity: it is nobody's public key",
        ));
        return findings;
    };
    let Some(curve) = point.curve else {
        return findings;
    };
    if !curve.has(x, y) {
        findings.push(Finding::compromised(
            Detector::CurvePoint,
            format!("the point is not on the curve {}", curve.name),
        ));
        return findings;
    }
    if curve.small().contains(&*x.to_be_bytes()) {
        findings.push(Finding::compromised(
            Detector::SmallScalar,
            format!("the private key is a number up to {SMALL_SCALARS}, or minus such a number"),
        ));
    }
    let length = bits(curve.prime());
    if length < LEAST_BITS {
        findings.push(Finding::weak(
            Detector::CurvePoint,
            format!("the curve has {length} bits; {LEAST_BITS} is the least"),
        ));
    }
    findings
}

/// The numbers of a curve, read once.
pub(crate) struct Numbers {
    p: UBig,
    a: UBig,
    b: UBig,
    generator: (UBig, UBig),
}

/// The multiples of the generator by the smallest scalars: their abscissas.
type Small = HashSet<Box<[u8]>>;

impl Curve {
    fn prime(&self) -> &UBig {
        &self.numbers().p
    }

    /// Whether the point is on it.
    fn has(&self, x: &UBig, y: &Y) -> bool {
        let Numbers { p, a, b, .. } = self.numbers();
        if x >= p {
            return false;
        }
        let right = ((x * x + a) * x + b) % p;
        match y {
            Y::Full(y) => y < p && y * y % p == right,
            Y::Odd(_) => right.is_zero() || power(&right, &((p - UBig::ONE) >> 1), p).is_one(),
        }
    }

    /// Whether its numbers are these, as explicit parameters have them.
    pub(crate) fn is_of(&self, p: &UBig, a: &UBig, b: &UBig, generator: &[u8]) -> bool {
        let own = self.numbers();
        let Some((x, y)) = point(generator) else {
            return false;
        };
        let same_y = match y {
            Y::Full(y) => y == own.generator.1,
            Y::Odd(odd) => odd == (own.generator.1.trailing_zeros() == Some(0)),
        };
        own.p == *p && own.a == *a && own.b == *b && x == own.generator.0 && same_y
    }

    /// By adding the generator again and again; none of these is its own
    /// negative, since the order is a large prime.
    fn multiples(&self) -> Small {
        let Numbers {
            p, a, generator, ..
        } = self.numbers();
        let mut found = Small::new();
        let (mut x, mut y) = generator.clone();
        for _ in 0..SMALL_SCALARS {
            found.insert(x.to_be_bytes());
            let (over, under) = match (&x, &y) == (&generator.0, &generator.1) {
                true => ((&x * &x * UBig::from(3_u8) + a) % p, (&y << 1) % p),
                false => (minus(&generator.1, &y, p), minus(&generator.0, &x, p)),
            };
            let Some(inverse) = inverse(&under, p) else {
                break;
            };
            let slope = over * inverse % p;
            let squared = &slope * &slope % p;
            let next = minus(&minus(&squared, &x, p), &generator.0, p);
            y = minus(&(slope * minus(&x, &next, p) % p), &y, p);
            x = next;
        }
        found
    }
}

/// What stays the same of a curve once it was computed.
pub(crate) struct Lazy {
    numbers: LazyLock<Numbers, fn() -> Numbers>,
    small: LazyLock<Small, fn() -> Small>,
}

impl Curve {
    fn numbers(&self) -> &Numbers {
        &self.lazy.numbers
    }

    fn small(&self) -> &Small {
        &self.lazy.small
    }
}

/// A point as SEC 1 writes it; none for anything else, the one at infinity
/// included.
pub(crate) fn point(bytes: &[u8]) -> Option<(UBig, Y)> {
    let (form, rest) = bytes.split_first()?;
    match form {
        2 | 3 if !rest.is_empty() => Some((UBig::from_be_bytes(rest), Y::Odd(*form == 3))),
        4 if !rest.is_empty() && rest.len() % 2 == 0 => {
            let (x, y) = rest.split_at(rest.len() / 2);
            Some((UBig::from_be_bytes(x), Y::Full(UBig::from_be_bytes(y))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generator_is_on_its_curve_and_small_multiples_are_found() {
        for curve in table::CURVES {
            let (x, y) = curve.numbers().generator.clone();
            let at = |xy| Point {
                curve: Some(curve),
                explicit: false,
                xy: Some(xy),
            };
            let full = check(&at((x.clone(), Y::Full(y.clone()))));
            assert_eq!(full[0].detector, Detector::SmallScalar, "{}", curve.name);
            assert!(curve.has(&x, &Y::Odd(true)));
            assert_eq!(curve.small().len(), SMALL_SCALARS);
            // One beside it.
            let off = check(&at((x.clone(), Y::Full(y + UBig::ONE))));
            assert_eq!(off[0].detector, Detector::CurvePoint);
            let over = check(&at((&curve.numbers().p + x, Y::Odd(true))));
            assert_eq!(over[0].detector, Detector::CurvePoint);
        }
    }

    #[test]
    fn infinity_is_nobodys() {
        let found = check(&Point {
            curve: named("1.2.840.10045.3.1.7"),
            explicit: false,
            xy: None,
        });
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].detector, Detector::CurvePoint);
    }

    /// 255·G of P-256, from OpenSSL.
    #[test]
    fn multiples_agree_with_another_program() {
        let p256 = named("1.2.840.10045.3.1.7").unwrap();
        let x = hex(X_255);
        assert!(p256.small().contains(&x[..]));
    }

    const X_255: &str = "f44b39759a2e6db723a6f90249972dfd08e95380f1fca470eacd1d03e5edf214";

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    }
}
