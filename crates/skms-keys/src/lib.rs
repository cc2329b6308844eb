//! skms-keys.
