//! Elliptic-curve keys of AWS-LC, built from scalars and points.

use core::ffi::c_int;
use core::ptr::{NonNull, null, null_mut};

use super::sys;

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::bignum::{Bn, Scratch, to_padded};
use super::pkey::{PKey, ok};

/// A curve the registry offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

impl Curve {
    pub(crate) const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::Secp256k1];

    fn nid(self) -> c_int {
        match self {
            Self::P256 => sys::NID_X9_62_prime256v1,
            Self::P384 => sys::NID_secp384r1,
            Self::P521 => sys::NID_secp521r1,
            Self::Secp256k1 => sys::NID_secp256k1,
        }
    }

    /// Bytes of a field element, which is also the bytes of a scalar.
    pub(crate) fn field_bytes(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn group(self) -> Result<*const sys::EC_GROUP> {
        // SAFETY: returns a static table for the curves of this enum.
        let group = unsafe { sys::EC_GROUP_new_by_curve_name(self.nid()) };
        if group.is_null() {
            Err(Error::Library("curve not built in"))
        } else {
            Ok(group)
        }
    }
}

struct Handle(NonNull<sys::EC_KEY>);

impl Handle {
    fn new(curve: Curve) -> Result<Self> {
        // SAFETY: allocates; null on failure.
        NonNull::new(unsafe { sys::EC_KEY_new_by_curve_name(curve.nid()) })
            .map(Self)
            .ok_or(Error::Library("no memory for a key"))
    }

    fn into_key(self) -> Result<PKey> {
        // SAFETY: allocates; null on failure.
        let key = PKey::adopt(unsafe { sys::EVP_PKEY_new() })
            .ok_or(Error::Library("no memory for a key"))?;
        // SAFETY: both are valid; on success the key owns the handle.
        if ok(unsafe { sys::EVP_PKEY_assign_EC_KEY(key.as_ptr(), self.0.as_ptr()) }) {
            core::mem::forget(self);
            Ok(key)
        } else {
            Err(Error::Library("cannot hold this key"))
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: owned by this value, freed once; private parts are cleansed.
        unsafe { sys::EC_KEY_free(self.0.as_ptr()) }
    }
}

struct Point(NonNull<sys::EC_POINT>);

impl Point {
    fn new(group: *const sys::EC_GROUP) -> Result<Self> {
        // SAFETY: allocates for a valid group; null on failure.
        NonNull::new(unsafe { sys::EC_POINT_new(group) })
            .map(Self)
            .ok_or(Error::Library("no memory for a point"))
    }
}

impl Drop for Point {
    fn drop(&mut self) {
        // SAFETY: owned by this value, freed once.
        unsafe { sys::EC_POINT_clear_free(self.0.as_ptr()) }
    }
}

impl PKey {
    /// A fresh key on `curve`.
    pub(crate) fn generate_ec(curve: Curve) -> Result<Self> {
        let handle = Handle::new(curve)?;
        // The module counts only the one that checks the pair too.
        #[cfg(feature = "fips")]
        let generate = sys::EC_KEY_generate_key_fips;
        #[cfg(not(feature = "fips"))]
        let generate = sys::EC_KEY_generate_key;
        // SAFETY: the handle has its group set.
        if !ok(unsafe { generate(handle.0.as_ptr()) }) {
            return Err(Error::Library("key generation"));
        }
        handle.into_key()
    }

    /// From a big-endian scalar of exactly the field's length, in 1..n; the
    /// public point is computed, not believed.
    pub(crate) fn ec_private(curve: Curve, scalar: &[u8]) -> Result<Self> {
        if scalar.len() != curve.field_bytes() {
            return Err(Error::InvalidKey("private scalar of the wrong length"));
        }
        let group = curve.group()?;
        let handle = Handle::new(curve)?;
        let scalar = Bn::from_bytes(scalar)?;
        let scratch = Scratch::new()?;
        let point = Point::new(group)?;
        // SAFETY: all handles are valid and of the same group; the setters copy.
        let built = unsafe {
            ok(sys::EC_KEY_set_private_key(
                handle.0.as_ptr(),
                scalar.as_ptr(),
            )) && ok(sys::EC_POINT_mul(
                group,
                point.0.as_ptr(),
                scalar.as_ptr(),
                null(),
                null(),
                scratch.as_ptr(),
            )) && ok(sys::EC_KEY_set_public_key(
                handle.0.as_ptr(),
                point.0.as_ptr(),
            ))
        };
        if !built {
            return Err(Error::InvalidKey("private scalar out of range"));
        }
        handle.into_key()
    }

    /// From a SEC 1 point, compressed or not; it must lie on the curve and not
    /// be the point at infinity (SP 800-56A rev. 3, section 5.6.2.3.3; the
    /// cofactor of every curve here is one).
    pub(crate) fn ec_public(curve: Curve, encoded: &[u8]) -> Result<Self> {
        let group = curve.group()?;
        let handle = Handle::new(curve)?;
        let point = Point::new(group)?;
        let plain = encoded.len() == 1 + 2 * curve.field_bytes() && encoded.first() == Some(&4);
        let compressed =
            encoded.len() == 1 + curve.field_bytes() && matches!(encoded.first(), Some(2 | 3));
        if !plain && !compressed {
            return Err(Error::InvalidKey("point encoding"));
        }
        // SAFETY: all handles are valid and of the same group; the setter copies.
        let built = unsafe {
            ok(sys::EC_POINT_oct2point(
                group,
                point.0.as_ptr(),
                encoded.as_ptr(),
                encoded.len(),
                null_mut(),
            )) && ok(sys::EC_POINT_is_on_curve(
                group,
                point.0.as_ptr(),
                null_mut(),
            )) && sys::EC_POINT_is_at_infinity(group, point.0.as_ptr()) == 0
                && ok(sys::EC_KEY_set_public_key(
                    handle.0.as_ptr(),
                    point.0.as_ptr(),
                ))
        };
        if !built {
            return Err(Error::InvalidKey("point is not on the curve"));
        }
        handle.into_key()
    }

    fn ec(&self) -> Option<*mut sys::EC_KEY> {
        // SAFETY: the borrowed pointer stays valid while `self` is alive.
        let key = unsafe { sys::EVP_PKEY_get0_EC_KEY(self.as_ptr()) };
        if key.is_null() {
            let _ = ok(0);
            return None;
        }
        Some(key)
    }

    /// Which of our curves this key is on.
    pub(crate) fn ec_curve(&self) -> Option<Curve> {
        let key = self.ec()?;
        // SAFETY: reads the group of a valid key.
        let nid = unsafe { sys::EC_GROUP_get_curve_name(sys::EC_KEY_get0_group(key)) };
        Curve::ALL.into_iter().find(|curve| curve.nid() == nid)
    }

    /// The uncompressed point, `04 ‖ x ‖ y`.
    pub(crate) fn ec_point(&self) -> Option<Vec<u8>> {
        let curve = self.ec_curve()?;
        let key = self.ec()?;
        let mut out = vec![0u8; 1 + 2 * curve.field_bytes()];
        // SAFETY: reads a valid key; the buffer has the uncompressed length.
        let written = unsafe {
            let point = sys::EC_KEY_get0_public_key(key);
            if point.is_null() {
                return None;
            }
            sys::EC_POINT_point2oct(
                sys::EC_KEY_get0_group(key),
                point,
                sys::point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED,
                out.as_mut_ptr(),
                out.len(),
                null_mut(),
            )
        };
        (written == out.len()).then_some(out)
    }

    /// The scalar, of the field's length.
    pub(crate) fn ec_scalar(&self) -> Option<SecretBytes> {
        let curve = self.ec_curve()?;
        let key = self.ec()?;
        // SAFETY: borrows the scalar of a valid key; null for a public one.
        let scalar = unsafe { sys::EC_KEY_get0_private_key(key) };
        if scalar.is_null() {
            return None;
        }
        to_padded(scalar, curve.field_bytes())
    }
}

/// Converts a DER `ECDSA-Sig-Value` to `r ‖ s` of fixed length (IEEE P1363).
pub(crate) fn der_to_p1363(curve: Curve, der: &[u8]) -> Option<Vec<u8>> {
    let signature = Signature::from_der(der)?;
    let (mut r, mut s) = (null(), null());
    // SAFETY: borrows both integers of a valid signature.
    unsafe { sys::ECDSA_SIG_get0(signature.0.as_ptr(), &mut r, &mut s) };
    let mut out = to_padded(r, curve.field_bytes())?.into_public();
    // A signature is public.
    out.extend_from_slice(to_padded(s, curve.field_bytes())?.expose());
    Some(out)
}

/// Converts `r ‖ s` (IEEE P1363) to a DER `ECDSA-Sig-Value`.
pub(crate) fn p1363_to_der(curve: Curve, fixed: &[u8]) -> Option<Vec<u8>> {
    if fixed.len() != 2 * curve.field_bytes() {
        return None;
    }
    let (r, s) = fixed.split_at(curve.field_bytes());
    let (r, s) = (Bn::from_bytes(r).ok()?, Bn::from_bytes(s).ok()?);
    // SAFETY: allocates; null on failure.
    let signature = Signature(NonNull::new(unsafe { sys::ECDSA_SIG_new() })?);
    let (r, s) = (r.into_ptr(), s.into_ptr());
    // SAFETY: the signature takes both integers over; the call cannot fail for
    // integers that are not null.
    if !ok(unsafe { sys::ECDSA_SIG_set0(signature.0.as_ptr(), r, s) }) {
        return None;
    }
    super::pkey::marshal(|cbb| {
        // SAFETY: both pointers are valid for the call.
        unsafe { sys::ECDSA_SIG_marshal(cbb, signature.0.as_ptr()) }
    })
    .ok()
    .map(|der| der.to_vec())
}

struct Signature(NonNull<sys::ECDSA_SIG>);

impl Signature {
    /// Strict DER; trailing bytes are refused.
    fn from_der(der: &[u8]) -> Option<Self> {
        // SAFETY: pointer and length describe the slice; the integers are copied.
        let signature = NonNull::new(unsafe { sys::ECDSA_SIG_from_bytes(der.as_ptr(), der.len()) });
        if signature.is_none() {
            let _ = ok(0);
        }
        signature.map(Self)
    }
}

impl Drop for Signature {
    fn drop(&mut self) {
        // SAFETY: owned by this value, freed once.
        unsafe { sys::ECDSA_SIG_free(self.0.as_ptr()) }
    }
}
