//! What the server does by itself, as system principals through the same
//! gate's stations as everybody else.

pub(crate) mod agenda;
pub(crate) mod housekeeping;
pub(crate) mod judging;
pub(crate) mod notifying;
pub(crate) mod publishing;
pub(crate) mod weak;
