//! skms-wire.
