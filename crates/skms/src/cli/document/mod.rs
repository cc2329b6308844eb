//! `skms document`: signatures that carry certificates.

mod sign;
mod verify;

use clap::{Subcommand, ValueEnum};
use skms_wire::native::documents::DocumentFormat;

use super::Global;
use super::error::Result;

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
}

impl From<Format> for DocumentFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Cms => Self::Cms,
        }
    }
}
