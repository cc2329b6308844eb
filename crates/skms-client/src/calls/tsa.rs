//! Time-stamping authorities.

use skms_wire::native::tsa::{CreateTsaRequest, TsaView};

calls! {
    /// A page of the time-stamping authorities.
    page tsas ["tsa-list"] () => TsaView;
    /// Makes a time-stamping authority on a key that is there.
    json create_tsa ["tsa-create"] () send CreateTsaRequest => TsaView;
    /// Shows a time-stamping authority.
    json tsa ["tsa-read"] (tsa) => TsaView;
    /// Deletes a time-stamping authority; its key and certificate stay.
    nothing delete_tsa ["tsa-delete"] (tsa);
}
