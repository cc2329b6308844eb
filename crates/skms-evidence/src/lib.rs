//! skms-evidence.
