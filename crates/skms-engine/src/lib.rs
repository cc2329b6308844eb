//! skms-engine.
