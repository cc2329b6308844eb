//! `skms document`: signatures that carry certificates.

mod sign;
mod trusted;
mod verify;

use clap::{Subcommand, ValueEnum};
use skms_pki::documents::DocumentError;
use skms_wire::native::documents::DocumentFormat;

use super::Global;
use super::error::{CliError, Result};
use super::exit::Exit;

pub use sign::named;
pub use trusted::Trusted;

/// The longest document read, in bytes.
pub const DOCUMENT_MAX: u64 = 64 << 20;

/// Sign documents with certificates, and verify such signatures.
#[derive(Debug, Subcommand)]
pub enum Document {
    /// Sign a file with a key kept here and a certificate of it
    Sign(Box<sign::Sign>),
    /// Verify a signed document, or a file and its detached signature; needs
    /// no server
    Verify(Box<verify::Verify>),
}

impl Document {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Sign(sign) => sign.run(global).await,
            Self::Verify(verify) => verify.run(global),
        }
    }
}

/// What kind of document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// CMS SignedData (RFC 5652), which is also called PKCS #7 and p7s
    #[default]
    Cms,
    /// JWS in the compact form (RFC 7515)
    Jws,
    /// COSE_Sign1 (RFC 9052), tagged
    Cose,
}

impl From<Format> for DocumentFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Cms => Self::Cms,
            Format::Jws => Self::Jws,
            Format::Cose => Self::Cose,
        }
    }
}

/// What cannot be read proves nothing.
fn refused(error: skms_pki::Error) -> CliError {
    CliError::new(Exit::Verification, error.to_string())
}

/// The error of what does not hold.
pub fn not_valid(error: DocumentError) -> CliError {
    CliError::new(Exit::Verification, format!("not valid: {error}"))
}
