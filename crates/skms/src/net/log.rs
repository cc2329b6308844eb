//! The server's log: one JSON object a line, on standard error.
//!
//! Callers choose every field; no request body, header or path goes in, so a
//! secret cannot.

use std::{
    io::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};
use skms_wire::Moment;

use crate::config::LogLevel;

/// Writes log lines from one level on.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    least: LogLevel,
}

impl Log {
    /// A log of everything at least as grave as `least`.
    #[must_use]
    pub const fn new(least: LogLevel) -> Self {
        Self { least }
    }

    /// Whether a message of this level is written.
    #[must_use]
    pub fn takes(&self, level: LogLevel) -> bool {
        level <= self.least
    }

    /// Writes a line.
    pub fn write(&self, level: LogLevel, message: &str, fields: &[(&str, Value)]) {
        if !self.takes(level) {
            return;
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .unwrap_or(0);
        let mut line = Map::new();
        line.insert("at".into(), Moment::from_unix_ms(now).to_string().into());
        line.insert("level".into(), level.name().into());
        line.insert("message".into(), message.into());
        for (name, value) in fields {
            line.insert((*name).to_owned(), value.clone());
        }
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // A log that cannot be written is no reason to stop serving.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Something needs somebody's attention.
    pub fn error(&self, message: &str, fields: &[(&str, Value)]) {
        self.write(LogLevel::Error, message, fields);
    }

    /// Something may soon.
    pub fn warn(&self, message: &str, fields: &[(&str, Value)]) {
        self.write(LogLevel::Warn, message, fields);
    }

    /// Starting, stopping and the like.
    pub fn info(&self, message: &str, fields: &[(&str, Value)]) {
        self.write(LogLevel::Info, message, fields);
    }

    /// Detail.
    pub fn debug(&self, message: &str, fields: &[(&str, Value)]) {
        self.write(LogLevel::Debug, message, fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graver_messages_pass_and_lighter_ones_do_not() {
        let log = Log::new(LogLevel::Warn);
        assert!(log.takes(LogLevel::Error) && log.takes(LogLevel::Warn));
        assert!(!log.takes(LogLevel::Info) && !log.takes(LogLevel::Debug));
    }
}
