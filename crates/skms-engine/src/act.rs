//! What an act is: its name in policies and in the log.

use skms_policy::Action;

/// One thing that a caller can do. Policies permit it and the log names it
/// by [`Act::ACTION`].
pub trait Act: Send + Sync + 'static {
    /// The action's name in policies and events.
    const ACTION: Action;
}

/// What an account of ACME may do at its own authority, by the authority's
/// being open to ACME and without a policy of its own.
pub(crate) trait AccountAct: Act {}

/// What the holder of a certificate may do at its own authority, by the
/// authority's being open to EST and without a policy of its own.
pub(crate) trait HolderAct: Act {}

/// What the members of a group may do with its key, by their being members and
/// without a policy of their own.
pub(crate) trait MemberAct: Act {}

/// Declares the marker type of an act: `act!(Rotate, KeyRotate, "doc")`.
macro_rules! act {
    ($name:ident, $action:ident, $doc:literal) => {
        #[doc = $doc]
        pub struct $name;

        impl $crate::act::Act for $name {
            const ACTION: skms_policy::Action = skms_policy::Action::$action;
        }
    };
}
pub(crate) use act;
