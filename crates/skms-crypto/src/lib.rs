//! skms-crypto.
