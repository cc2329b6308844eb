//! The states of RFC 8555, section 7.1.6, and which may follow which.

/// Declares the states of one kind of object, each with its name on the wire.
macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident $text:literal -> [$($next:ident),*];)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$of])* $variant,)+ }

        impl $name {
            /// Every state.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Whether `next` may follow it.
            #[must_use]
            pub fn may_become(self, next: Self) -> bool {
                match self { $(Self::$variant => [$(Self::$next),*].contains(&next),)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::Error;

            fn from_str(text: &str) -> crate::Result<Self> {
                Self::ALL.iter().copied().find(|state| state.name() == text).ok_or(
                    crate::Error::Malformed { what: "ACME state", why: "none of that name" },
                )
            }
        }
    };
}

states! {
    /// An account's.
    AccountStatus {
        /// It may ask.
        Valid "valid" -> [Deactivated, Revoked];
        /// Its holder gave it up.
        Deactivated "deactivated" -> [];
        /// The operator took it away.
        Revoked "revoked" -> [];
    }
}

states! {
    /// An order's.
    OrderStatus {
        /// Control of its identifiers is not proved yet.
        Pending "pending" -> [Ready, Invalid];
        /// All is proved: it may be finalized.
        Ready "ready" -> [Processing, Valid, Invalid];
        /// The certificate is being issued.
        Processing "processing" -> [Valid, Invalid];
        /// The certificate is there.
        Valid "valid" -> [];
        /// It failed or ended.
        Invalid "invalid" -> [];
    }
}

states! {
    /// An authorization's.
    AuthorizationStatus {
        /// No challenge is answered yet.
        Pending "pending" -> [Valid, Invalid, Deactivated, Expired];
        /// A challenge was answered rightly.
        Valid "valid" -> [Deactivated, Expired, Revoked];
        /// A challenge was answered wrongly.
        Invalid "invalid" -> [];
        /// Its account gave it up.
        Deactivated "deactivated" -> [];
        /// Its time is over.
        Expired "expired" -> [];
        /// The server took it back.
        Revoked "revoked" -> [];
    }
}

states! {
    /// A challenge's.
    ChallengeStatus {
        /// It waits for the client.
        Pending "pending" -> [Processing];
        /// The server looks at the answer.
        Processing "processing" -> [Processing, Valid, Invalid];
        /// The answer was right.
        Valid "valid" -> [];
        /// It was not.
        Invalid "invalid" -> [];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_they_are_written_and_ends_are_ends() {
        for state in OrderStatus::ALL {
            assert_eq!(state.name().parse::<OrderStatus>().unwrap(), *state);
        }
        assert!("Valid".parse::<OrderStatus>().is_err());
        for end in [OrderStatus::Valid, OrderStatus::Invalid] {
            assert!(OrderStatus::ALL.iter().all(|next| !end.may_become(*next)));
        }
        assert!(OrderStatus::Pending.may_become(OrderStatus::Ready));
        assert!(!OrderStatus::Pending.may_become(OrderStatus::Valid));
        assert!(!ChallengeStatus::Pending.may_become(ChallengeStatus::Valid));
        assert!(!AccountStatus::Deactivated.may_become(AccountStatus::Valid));
        assert!(!AuthorizationStatus::Invalid.may_become(AuthorizationStatus::Valid));
    }
}
