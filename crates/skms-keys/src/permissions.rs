//! The permission table: what a version may do in which state.
//!
//! It is data, like the transitions, and says only what the state alone
//! decides. A version's dates, a pending destruction and the key's minimum
//! versions can take away more and never give back.

use crate::state::{KeyState, OperationClass};

/// What a state says about a class of operations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Permission {
    /// May be done.
    Allowed,
    /// May not be done.
    Refused,
    /// May be done while a recovery grant runs.
    UnderRecoveryGrant,
}

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The version's state.
    pub state: KeyState,
    /// What is to be done.
    pub class: OperationClass,
    /// Whether it may.
    pub permission: Permission,
}

const fn row(state: KeyState, class: OperationClass, permission: Permission) -> Row {
    Row {
        state,
        class,
        permission,
    }
}

use KeyState::{Active, Compromised, Deactivated, Destroyed, PreActivation, Suspended};
use OperationClass::{Process, Protect};
use Permission::{Allowed, Refused, UnderRecoveryGrant};

/// Every state and class.
///
/// Two rows are stricter than SP 800-57 part 1 rev. 5. Section 7.3 leaves it
/// to the recipient's judgement whether a suspended key processes what it
/// protected before; a key is usually suspended because somebody may be
/// misusing it, and reading is the misuse that cannot be undone, so it does
/// nothing until it is resumed. Section 7.5 likewise leaves the processing
/// under a compromised key to judgement; here the judgement is a recovery
/// grant, which is approved, logged and ends. Both hold for public keys too:
/// a signature under a compromised key proves nothing.
pub const TABLE: &[Row] = &[
    row(PreActivation, Protect, Refused),
    row(PreActivation, Process, Refused),
    row(Active, Protect, Allowed),
    row(Active, Process, Allowed),
    row(Suspended, Protect, Refused),
    row(Suspended, Process, Refused),
    row(Deactivated, Protect, Refused),
    row(Deactivated, Process, Allowed),
    row(Compromised, Protect, Refused),
    row(Compromised, Process, UnderRecoveryGrant),
    row(Destroyed, Protect, Refused),
    row(Destroyed, Process, Refused),
];

const STATES: usize = KeyState::ALL.len();
const CLASSES: usize = OperationClass::ALL.len();

/// The table by index. A pair without a row would be refused.
const PERMISSIONS: [[Permission; CLASSES]; STATES] = {
    let mut permissions = [[Refused; CLASSES]; STATES];
    let mut index = 0;
    while index < TABLE.len() {
        let row = &TABLE[index];
        permissions[row.state as usize][row.class as usize] = row.permission;
        index += 1;
    }
    permissions
};

/// What `state` says about operations of `class`.
#[must_use]
pub const fn permission(state: KeyState, class: OperationClass) -> Permission {
    PERMISSIONS[state as usize][class as usize]
}
