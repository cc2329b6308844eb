//! skms-client.
