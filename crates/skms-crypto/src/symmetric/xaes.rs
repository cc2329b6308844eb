//! XAES-256-GCM (C2SP): AES-256-GCM under a key that CMAC derives from the
//! first half of a 192-bit nonce, so that random nonces never run out.

use zeroize::Zeroizing;

use crate::awslc::aead::{TAG_LEN, gcm_open_once, gcm_seal_once};
use crate::awslc::aes::Encryptor;
use crate::error::Result;
use crate::secret::SecretArray;

/// Length of a nonce, in bytes.
pub(super) const NONCE_LEN: usize = 24;

/// A key, with what does not depend on the nonce computed once.
pub(super) struct Xaes {
    cipher: Encryptor,
    /// CMAC's first subkey (SP 800-38B, section 6.1).
    subkey: SecretArray<16>,
}

impl Xaes {
    pub(super) fn new(key: &[u8; 32]) -> Result<Self> {
        let cipher = Encryptor::new(key)?;
        let subkey = SecretArray::init_with(|subkey| {
            cipher.block(subkey);
            // Doubling in GF(2^128), without a branch on the secret top bit.
            let carry = 0u8.wrapping_sub(subkey[0] >> 7);
            let mut next = 0;
            for byte in subkey.iter_mut().rev() {
                let doubled = (*byte << 1) | next;
                next = *byte >> 7;
                *byte = doubled;
            }
            subkey[15] ^= carry & 0x87;
        });
        Ok(Self { cipher, subkey })
    }

    pub(super) fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Option<[u8; TAG_LEN]> {
        let (key, rest) = self.derive(nonce);
        gcm_seal_once(&key, &rest, aad, in_out)
    }

    pub(super) fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        body: &[u8],
        tag: &[u8; TAG_LEN],
        out: &mut [u8],
    ) -> bool {
        let (key, rest) = self.derive(nonce);
        gcm_open_once(&key, &rest, aad, body, tag, out)
    }

    /// The derived key, and the nonce that goes with it.
    ///
    //= https://c2sp.org/XAES-256-GCM
    //# M1 = 0x00 || 0x01 || `X` || 0x00 || N[:12]
    //# M2 = 0x00 || 0x02 || `X` || 0x00 || N[:12]
    //# Kₓ = AES-256ₖ(M1 ⊕ K1) || AES-256ₖ(M2 ⊕ K1)
    //# Nₓ = N[12:]
    fn derive(&self, nonce: &[u8; NONCE_LEN]) -> (Zeroizing<[u8; 32]>, [u8; 12]) {
        let mut rest = [0; 12];
        rest.copy_from_slice(&nonce[12..]);
        let mut key = Zeroizing::new([0; 32]);
        let mut block = Zeroizing::new([0; 16]);
        for (counter, half) in (1..).zip(key.chunks_exact_mut(16)) {
            block[..4].copy_from_slice(&[0, counter, b'X', 0]);
            block[4..].copy_from_slice(&nonce[..12]);
            for (byte, mask) in block.iter_mut().zip(self.subkey.expose()) {
                *byte ^= mask;
            }
            self.cipher.block(&mut block);
            half.copy_from_slice(block.as_slice());
        }
        (key, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::cmac;

    #[test]
    fn the_derived_key_is_cmacs() {
        let key = [0xa5; 32];
        let nonce: [u8; 24] = std::array::from_fn(|i| i as u8);
        let cmac = cmac::Key::new(cmac::AES_256, &key).unwrap();
        let mut expected = Vec::new();
        for counter in [1, 2] {
            let message = [&[0, counter, b'X', 0], &nonce[..12]].concat();
            expected.extend_from_slice(cmac::sign(&cmac, &message).unwrap().as_ref());
        }
        assert_eq!(
            Xaes::new(&key).unwrap().derive(&nonce).0.as_slice(),
            expected
        );
    }
}
