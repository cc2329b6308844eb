//! Why something about a key was refused, and whose fault it is.

use skms_crypto::Algorithm;

use crate::ids::KeyId;
use crate::operation::Operation;
use crate::reason::RevocationReason;
use crate::state::{KeyState, OperationClass};
use crate::time::UnixSeconds;
use crate::transitions::Event;
use crate::version::VersionNumber;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an act on a key, or a use of one, was refused.
///
/// All but [`Error::InvalidParts`] are the caller's mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not 36 characters of hyphenated UUID text.
    #[error("not an identifier: expected hyphenated UUID text")]
    InvalidId,
    /// A name that breaks the rule of [`crate::Name`].
    #[error(
        "not a name: 1 to 128 of A-Z a-z 0-9 . _ - are needed, not starting with a dot or hyphen"
    )]
    InvalidName,
    /// A word that is not in the named list.
    #[error("unknown {0}")]
    UnknownName(&'static str),
    /// A text, tag or date that may not be stored.
    #[error("invalid {what}: {why}")]
    InvalidField {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Rules that contradict each other or cannot hold.
    #[error("invalid rules: {0}")]
    InvalidRules(&'static str),
    /// A schedule that cannot be read, or that never comes.
    #[error("invalid schedule: {0}")]
    InvalidSchedule(&'static str),
    /// Uses that the algorithm does not have, or that do not go together.
    #[error("invalid uses for {algorithm}: {why}")]
    InvalidUses {
        /// The key's algorithm.
        algorithm: Algorithm,
        /// What is wrong with them.
        why: &'static str,
    },
    /// Not the caller's: stored parts that no act could have produced.
    #[error("stored key is inconsistent: {0}")]
    InvalidParts(&'static str),
    /// No such version.
    #[error("key {key} has no version {version}")]
    UnknownVersion {
        /// The key.
        key: KeyId,
        /// The version asked for.
        version: VersionNumber,
    },
    /// The key was not made for this.
    #[error("key {key} may not be used to {operation}: its uses do not include it")]
    UseForbidden {
        /// The key.
        key: KeyId,
        /// What was asked for.
        operation: Operation,
    },
    /// The key was created without leave to export it.
    #[error("key {key} is not exportable")]
    NotExportable {
        /// The key.
        key: KeyId,
    },
    /// This state forbids the operation (SP 800-57 part 1, section 7).
    #[error("version {version} of key {key} is {state} and may not {operation}")]
    StateForbids {
        /// The key.
        key: KeyId,
        /// Its version.
        version: VersionNumber,
        /// The version's state.
        state: KeyState,
        /// What was asked for.
        operation: Operation,
    },
    /// The version is waiting to be destroyed and may do nothing meanwhile.
    #[error(
        "version {version} of key {key} is scheduled for destruction and may not {operation}; \
         it can still be restored"
    )]
    PendingDestruction {
        /// The key.
        key: KeyId,
        /// Its version.
        version: VersionNumber,
        /// When the window ends.
        destroy_at: UnixSeconds,
        /// What was asked for.
        operation: Operation,
    },
    /// The version is older than the key's minimum for this class.
    #[error("version {version} of key {key} is below the minimum version {minimum} to {class}")]
    BelowMinimum {
        /// The key.
        key: KeyId,
        /// Its version.
        version: VersionNumber,
        /// The oldest version that may.
        minimum: VersionNumber,
        /// What was asked for.
        class: OperationClass,
    },
    /// The version's usage period for this class is over, or not begun.
    #[error("version {version} of key {key} is outside its period of use to {class}")]
    OutsidePeriod {
        /// The key.
        key: KeyId,
        /// Its version.
        version: VersionNumber,
        /// What was asked for.
        class: OperationClass,
    },
    /// The version protected as much as its algorithm allows; rotate the key.
    #[error("version {version} of key {key} has reached its limit of {limit} uses: rotate the key")]
    UseLimit {
        /// The key.
        key: KeyId,
        /// Its version.
        version: VersionNumber,
        /// The most uses a version may have.
        limit: u64,
    },
    /// The transition table has no such step.
    #[error("version {version} of key {key} is {state}: cannot {event} it")]
    TransitionForbidden {
        /// The key.
        key: KeyId,
        /// Its version.
        version: VersionNumber,
        /// The version's state.
        state: KeyState,
        /// What was to happen.
        event: Event,
    },
    /// No version of the key is in a state in which this changes anything.
    #[error("no version of key {key} can be changed so")]
    NothingToDo {
        /// The key.
        key: KeyId,
    },
    /// The key's rules are others than those that new ones were made from.
    #[error("the rules of key {key} were changed meanwhile")]
    RulesChanged {
        /// The key.
        key: KeyId,
    },
    /// The key may not get a new version now.
    #[error("key {key} cannot be rotated: {why}")]
    RotationRefused {
        /// The key.
        key: KeyId,
        /// What stands against it, and what to do.
        why: &'static str,
    },
    /// The key may not have a version of this algorithm.
    #[error("key {key} cannot be rotated into {algorithm}: {why}")]
    AlgorithmUnfit {
        /// The key.
        key: KeyId,
        /// What the version was to be of.
        algorithm: Algorithm,
        /// What stands against it.
        why: &'static str,
    },
    /// The reason revokes nothing.
    #[error("{0} is not a reason to revoke: resume the key instead")]
    NotARevocation(RevocationReason),
    /// The record may be deleted only when every version is destroyed.
    #[error("key {key} still has material: destroy every version first")]
    NotDestroyed {
        /// The key.
        key: KeyId,
    },
}
