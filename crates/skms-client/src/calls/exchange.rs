//! Messages of the key exchange.

use skms_wire::native::exchange::{ExchangeConfirmed, ExchangeMessage, ExchangeReply};

calls! {
    /// Sends message 1 of a key exchange.
    json begin_exchange ["exchange"] () send ExchangeMessage => ExchangeReply;
    /// Sends message 3 of a key exchange.
    json confirm_exchange ["exchange-confirm"] () send ExchangeMessage => ExchangeConfirmed;
}
