//! skms-policy.
