//! Messages as terms: a hash is what was hashed, a signature or MAC is by whom
//! and over what.

/// Everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// A client.
    A,
    /// A client.
    B,
    /// A server.
    S,
    /// A server.
    T,
    /// The attacker, with a certificate for both roles.
    Eve,
}

/// Something fresh, by where it was made: a run of a client or of a server, or
/// the attacker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fresh {
    Run(u8),
    Eve,
}

/// Which checks and which fields under signatures and MACs there are.
#[derive(Clone, Copy, Debug)]
pub struct Bindings {
    /// The intended server, in message 1.
    pub server: bool,
    /// The ephemeral key, in message 1.
    pub ephemeral: bool,
    /// The nonce, in message 1.
    pub nonce: bool,
    /// The store of replay entries.
    pub replay: bool,
    /// T1, in message 2 and in HPKE's info.
    pub first: bool,
    /// The encapsulation, under message 2's signature and MAC.
    pub encapsulation: bool,
    /// T2 and the MAC, in message 3.
    pub confirmation: bool,
}

impl Default for Bindings {
    fn default() -> Self {
        Self {
            server: true,
            ephemeral: true,
            nonce: true,
            replay: true,
            first: true,
            encapsulation: true,
            confirmation: true,
        }
    }
}

/// The fields of message 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fields1 {
    pub client: Party,
    pub server: Party,
    pub ephemeral: Fresh,
    pub nonce: Fresh,
}

/// What of message 1 is under its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signed1 {
    client: Party,
    server: Option<Party>,
    ephemeral: Option<Fresh>,
    nonce: Option<Fresh>,
}

/// Message 1; its signature is by the key of `by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct First {
    pub fields: Fields1,
    pub by: Party,
    pub signed: Signed1,
}

impl Fields1 {
    pub fn signed(self, bindings: &Bindings) -> Signed1 {
        Signed1 {
            client: self.client,
            server: bindings.server.then_some(self.server),
            ephemeral: bindings.ephemeral.then_some(self.ephemeral),
            nonce: bindings.nonce.then_some(self.nonce),
        }
    }

    /// Signed by its own client.
    pub fn message(self, bindings: &Bindings) -> First {
        First {
            fields: self,
            by: self.client,
            signed: self.signed(bindings),
        }
    }
}

/// A secret encapsulated to an ephemeral key, for a message 1: with T1 in
/// HPKE's info it is another secret for another message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Secret {
    pub made: Fresh,
    pub to: Fresh,
    pub context: Option<First>,
}

/// The fields of message 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fields2 {
    pub first: First,
    pub server: Party,
    pub secret: Secret,
}

/// What of message 2 is under its MAC and its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signed2 {
    first: Option<First>,
    server: Party,
    secret: Option<Secret>,
}

/// Message 2: a MAC by a secret, and a signature by the key of `by`, which is
/// over the MAC as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Second {
    pub fields: Fields2,
    pub by: Party,
    pub mac_by: Secret,
    pub signed: Signed2,
}

impl Fields2 {
    pub fn signed(self, bindings: &Bindings) -> Signed2 {
        Signed2 {
            first: bindings.first.then_some(self.first),
            server: self.server,
            secret: bindings.encapsulation.then_some(self.secret),
        }
    }

    /// Signed by its own server, with a MAC by its own secret.
    pub fn message(self, bindings: &Bindings) -> Second {
        Second {
            fields: self,
            by: self.server,
            mac_by: self.secret,
            signed: self.signed(bindings),
        }
    }
}

/// Message 3: T2, and a MAC over it by a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Third {
    pub second: Second,
    pub mac_by: Secret,
}
