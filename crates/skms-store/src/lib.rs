//! skms-store.
