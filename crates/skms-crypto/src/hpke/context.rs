//! The crate `hpke`'s generic contexts behind one object-safe trait.

use ::hpke::aead::{Aead as AeadTrait, AeadCtxR, AeadCtxS};
use ::hpke::kdf::Kdf as KdfTrait;
use ::hpke::kem::Kem as KemTrait;
use ::hpke::{
    Deserializable, OpModeR, OpModeS, PskBundle, Serializable, setup_receiver,
    setup_sender_with_rng,
};

use crate::error::{Error, Result};
use crate::secret::SecretBytes;

use super::Mode;
use super::keypair::{Drawn, Fill};

/// IANA's number for "export only".
const EXPORT_ONLY: u16 = 0xffff;

/// One side of a context: it seals or it opens.
pub(super) trait Context: Send {
    fn apply(&mut self, aad: &[u8], input: &[u8]) -> Result<Vec<u8>>;
    fn export(&self, context: &[u8], length: usize) -> Result<SecretBytes>;
}

fn refuse_export_only<A: AeadTrait>() -> Result<()> {
    // The library panics here; a caller's mistake must not.
    if A::AEAD_ID == EXPORT_ONLY {
        return Err(Error::InvalidOption("this HPKE suite only exports"));
    }
    Ok(())
}

fn exported(
    length: usize,
    fill: impl FnOnce(&mut [u8]) -> core::result::Result<(), ::hpke::HpkeError>,
) -> Result<SecretBytes> {
    SecretBytes::try_with_len(length, |out| {
        fill(out).map_err(|_| Error::TooLong {
            what: "exported secret",
            limit: 255 * 32,
        })
    })
}

struct Sealing<A: AeadTrait, K: KdfTrait, M: KemTrait>(AeadCtxS<A, K, M>);

impl<A: AeadTrait, K: KdfTrait, M: KemTrait> Context for Sealing<A, K, M>
where
    AeadCtxS<A, K, M>: Send,
{
    fn apply(&mut self, aad: &[u8], input: &[u8]) -> Result<Vec<u8>> {
        refuse_export_only::<A>()?;
        self.0
            .seal(input, aad)
            .map_err(|_| Error::Library("HPKE context is used up"))
    }

    fn export(&self, context: &[u8], length: usize) -> Result<SecretBytes> {
        exported(length, |out| self.0.export(context, out))
    }
}

struct Opening<A: AeadTrait, K: KdfTrait, M: KemTrait>(AeadCtxR<A, K, M>);

impl<A: AeadTrait, K: KdfTrait, M: KemTrait> Context for Opening<A, K, M>
where
    AeadCtxR<A, K, M>: Send,
{
    fn apply(&mut self, aad: &[u8], input: &[u8]) -> Result<Vec<u8>> {
        refuse_export_only::<A>()?;
        self.0.open(input, aad).map_err(|_| Error::Decrypt)
    }

    fn export(&self, context: &[u8], length: usize) -> Result<SecretBytes> {
        exported(length, |out| self.0.export(context, out))
    }
}

/// Encapsulated key and sending context.
pub(super) fn sender<A, K, M>(
    public: &[u8],
    info: &[u8],
    random: &mut Fill<'_>,
) -> Result<(Vec<u8>, Box<dyn Context>)>
where
    A: AeadTrait + 'static,
    K: KdfTrait + 'static,
    M: KemTrait + 'static,
    AeadCtxS<A, K, M>: Send,
{
    let public = M::PublicKey::from_bytes(public).map_err(|_| Error::InvalidKey("HPKE key"))?;
    let mut random = Drawn::from(random);
    let set_up = setup_sender_with_rng::<A, K, M>(&OpModeS::Base, &public, info, &mut random);
    random.outcome()?;
    let (encapsulated, context) = set_up.map_err(|_| Error::InvalidKey("HPKE key"))?;
    Ok((encapsulated.to_bytes().to_vec(), Box::new(Sealing(context))))
}

/// Receiving context.
pub(super) fn receiver<A, K, M>(
    mode: &Mode<'_>,
    private: &[u8],
    encapsulated: &[u8],
    info: &[u8],
) -> Result<Box<dyn Context>>
where
    A: AeadTrait + 'static,
    K: KdfTrait + 'static,
    M: KemTrait + 'static,
    AeadCtxR<A, K, M>: Send,
{
    let private = M::PrivateKey::from_bytes(private).map_err(|_| Error::InvalidKey("HPKE key"))?;
    let encapsulated = M::EncappedKey::from_bytes(encapsulated).map_err(|_| Error::Decrypt)?;
    let sender = match mode.sender {
        None => None,
        Some(bytes) => Some(M::PublicKey::from_bytes(bytes).map_err(|_| Error::Decrypt)?),
    };
    let psk = match mode.psk {
        None => None,
        Some((psk, psk_id)) => Some(
            PskBundle::new(psk, psk_id).map_err(|_| Error::InvalidOption("HPKE pre-shared key"))?,
        ),
    };
    let mode = match (sender, psk) {
        (None, None) => OpModeR::Base,
        (None, Some(psk)) => OpModeR::Psk(psk),
        (Some(sender), None) => OpModeR::Auth(sender),
        (Some(sender), Some(psk)) => OpModeR::AuthPsk(sender, psk),
    };
    let context = setup_receiver::<A, K, M>(&mode, &private, &encapsulated, info)
        .map_err(|_| Error::Decrypt)?;
    Ok(Box::new(Opening(context)))
}

/// The shared secret that the key schedule starts from.
#[cfg(feature = "known-answers")]
pub(super) fn decapsulate<M: KemTrait>(
    private: &[u8],
    sender: Option<&[u8]>,
    encapsulated: &[u8],
) -> Result<SecretBytes> {
    let private = M::PrivateKey::from_bytes(private).map_err(|_| Error::InvalidKey("HPKE key"))?;
    let encapsulated = M::EncappedKey::from_bytes(encapsulated).map_err(|_| Error::Decrypt)?;
    let sender = match sender {
        None => None,
        Some(bytes) => Some(M::PublicKey::from_bytes(bytes).map_err(|_| Error::Decrypt)?),
    };
    M::decap(&private, sender.as_ref(), &encapsulated)
        .map(|secret| SecretBytes::new(secret.0.to_vec()))
        .map_err(|_| Error::Decrypt)
}
