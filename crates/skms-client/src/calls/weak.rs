//! Weak and known-compromised keys.

use skms_wire::native::weak::{
    BlocklistView, ImportBlocklistRequest, WeakFindingView, WeakSweepView,
};

calls! {
    /// A page of what was found about keys and certificates.
    page weak_findings ["weak-list"] () => WeakFindingView;
    /// How sweeps go.
    json weak_sweep ["weak-sweep-read"] () => WeakSweepView;
    /// Asks for a sweep.
    json start_weak_sweep ["weak-sweep"] () => WeakSweepView;
    /// A page of the lists of known keys.
    page blocklists ["blocklist-list"] () => BlocklistView;
    /// Imports a list of known keys.
    json import_blocklist ["blocklist-import"] () send ImportBlocklistRequest => BlocklistView;
    /// Removes a list of known keys.
    nothing remove_blocklist ["blocklist-remove"] (blocklist);
}
