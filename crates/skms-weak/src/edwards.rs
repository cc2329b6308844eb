//! Points of Curve25519 and Curve448, in both their forms.
//!
//! Doubling needs one coordinate only, so no root is taken: what is a point's
//! double is said by its `y` (Edwards) or `u` (Montgomery) alone.

use dashu_int::UBig;

use crate::finding::{Detector, Finding};
use crate::number::{inverse, minus, power};

/// Which curve in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// RFC 8032.
    Ed25519,
    /// RFC 8032.
    Ed448,
    /// RFC 7748.
    X25519,
    /// RFC 7748.
    X448,
}

impl Form {
    /// How many bytes its keys have.
    pub(crate) const fn length(self) -> usize {
        match self {
            Self::Ed25519 | Self::X25519 => 32,
            Self::Ed448 => 57,
            Self::X448 => 56,
        }
    }

    fn prime(self) -> UBig {
        let two = UBig::from(2_u8);
        match self {
            Self::Ed25519 | Self::X25519 => two.pow(255) - UBig::from(19_u8),
            Self::Ed448 | Self::X448 => two.pow(448) - two.pow(224) - UBig::ONE,
        }
    }

    /// Doublings that lead a point of small order to the neutral one.
    const fn doublings(self) -> usize {
        match self {
            Self::Ed25519 | Self::X25519 => 3,
            Self::Ed448 | Self::X448 => 2,
        }
    }
}

/// Looks at a public key of the right length.
pub(crate) fn check(form: Form, bytes: &[u8]) -> Option<Finding> {
    let invalid = |words: &str| Some(Finding::compromised(Detector::CurvePoint, words));
    if bytes.len() != form.length() {
        return invalid("the public key has a wrong length");
    }
    let p = form.prime();
    let small = match form {
        Form::X25519 | Form::X448 => {
            let mut u = UBig::from_le_bytes(bytes);
            if form == Form::X25519 {
                // RFC 7748, section 5: the highest bit is not looked at, and
                // what is over p wraps.
                u.clear_bit(255);
            }
            montgomery_small(form, u % &p, &p)
        }
        Form::Ed25519 | Form::Ed448 => {
            let mut y = UBig::from_le_bytes(bytes);
            // The sign of x.
            y.clear_bit(form.length() * 8 - 1);
            if y >= p {
                return invalid("the coordinate is not below the field's prime");
            }
            match edwards_small(form, y, &p) {
                Some(small) => small,
                None => return invalid("the point is not on the curve"),
            }
        }
    };
    small.then(|| {
        Finding::compromised(
            Detector::SmallOrder,
            "the point has a small order: what it agrees on, or what it verifies, is everybody's",
        )
    })
}

/// The square of x by y; none if there is no point with this y.
fn x_squared(form: Form, y2: &UBig, p: &UBig) -> Option<UBig> {
    let one = UBig::ONE;
    // -x² + y² = 1 + d·x²·y² with d = -121665/121666, and x² + y² = 1 + d·x²·y²
    // with d = -39081.
    let (over, d) = match form {
        Form::Ed25519 => {
            let inverse = inverse(&UBig::from(121_666_u32), p)?;
            let d = minus(&UBig::ZERO, &(UBig::from(121_665_u32) * inverse % p), p);
            (minus(y2, &one, p), d)
        }
        _ => (
            minus(&one, y2, p),
            minus(&UBig::ZERO, &UBig::from(39_081_u32), p),
        ),
    };
    let product = d * y2 % p;
    let under = match form {
        Form::Ed25519 => (product + &one) % p,
        _ => minus(&one, &product, p),
    };
    let square = over * inverse(&under, p)? % p;
    let half = (p - &one) >> 1;
    (square.is_zero() || power(&square, &half, p).is_one()).then_some(square)
}

/// Whether a few doublings lead to (0, 1).
fn edwards_small(form: Form, mut y: UBig, p: &UBig) -> Option<bool> {
    for _ in 0..form.doublings() {
        let y2 = &y * &y % p;
        let x2 = x_squared(form, &y2, p)?;
        let two = UBig::from(2_u8);
        // y of the double: (y² - a·x²) / (2 - a·x² - y²).
        let (over, under) = match form {
            Form::Ed25519 => ((&y2 + &x2) % p, minus(&((two + x2) % p), &y2, p)),
            _ => (minus(&y2, &x2, p), minus(&minus(&two, &x2, p), &y2, p)),
        };
        y = over * inverse(&under, p)? % p;
    }
    Some(y.is_one())
}

/// Whether a few doublings lead to infinity, on the curve or its twist.
fn montgomery_small(form: Form, mut u: UBig, p: &UBig) -> bool {
    let a = match form {
        Form::X25519 => UBig::from(486_662_u32),
        _ => UBig::from(156_326_u32),
    };
    let one = UBig::ONE;
    for _ in 0..form.doublings() {
        let u2 = &u * &u % p;
        // u of the double: (u² - 1)² / (4·u·(u² + A·u + 1)).
        let under = (((&u2 + &a * &u + &one) * &u) << 2) % p;
        let Some(inverse) = inverse(&under, p) else {
            return true;
        };
        let over = minus(&u2, &one, p);
        u = &over * &over % p * inverse % p;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(form: Form, bytes: &[u8]) -> Option<Detector> {
        check(form, bytes).map(|one| one.detector)
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    }

    /// The coordinates of order 8 on Curve25519, as implementations list them.
    const Y8: [&str; 2] = [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];
    const U8: [&str; 2] = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];

    #[test]
    fn every_point_of_small_order_is_found() {
        let p25519 = Form::X25519.prime();
        let little = |form: Form, number: UBig| {
            let mut bytes = number.to_le_bytes().into_vec();
            bytes.resize(form.length(), 0);
            bytes
        };
        for form in [Form::Ed25519, Form::X25519, Form::Ed448, Form::X448] {
            let p = form.prime();
            for number in [UBig::ZERO, UBig::ONE, &p - UBig::ONE] {
                assert_eq!(
                    found(form, &little(form, number)),
                    Some(Detector::SmallOrder),
                    "{form:?}"
                );
            }
        }
        for y in Y8 {
            assert_eq!(found(Form::Ed25519, &hex(y)), Some(Detector::SmallOrder));
            let mut signed = hex(y);
            signed[31] |= 0x80;
            assert_eq!(found(Form::Ed25519, &signed), Some(Detector::SmallOrder));
        }
        for u in U8 {
            assert_eq!(found(Form::X25519, &hex(u)), Some(Detector::SmallOrder));
        }
        // Over the prime: X25519 wraps, Ed25519 refuses.
        let over = little(Form::X25519, p25519 + UBig::ONE);
        assert_eq!(found(Form::X25519, &over), Some(Detector::SmallOrder));
        assert_eq!(found(Form::Ed25519, &over), Some(Detector::CurvePoint));
    }

    #[test]
    fn ordinary_points_pass_and_others_are_none() {
        // RFC 8032, section 7.1, test 1; the base points.
        let ed = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(found(Form::Ed25519, &hex(ed)), None);
        let mut nine = [0; 32];
        nine[0] = 9;
        assert_eq!(found(Form::X25519, &nine), None);
        let mut five = [0; 56];
        five[0] = 5;
        assert_eq!(found(Form::X448, &five), None);
        // RFC 8032, section 7.4, the blank message.
        let ed448 = "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778\
                     edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180";
        assert_eq!(found(Form::Ed448, &hex(ed448)), None);
        // Half of all y are on no point.
        let none = (2..40_u8).filter(|y| {
            let mut bytes = [0; 32];
            bytes[0] = *y;
            found(Form::Ed25519, &bytes) == Some(Detector::CurvePoint)
        });
        assert!((10..30).contains(&none.count()));
        assert_eq!(found(Form::Ed25519, &[1]), Some(Detector::CurvePoint));
    }
}
