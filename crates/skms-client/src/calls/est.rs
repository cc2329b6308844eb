//! Opening authorities to EST.

use skms_wire::native::est::{EnableEstRequest, EstView};

calls! {
    /// Says how an authority is open to EST.
    json est ["est-read"] (authority) => EstView;
    /// Opens an authority to EST, or changes how it is open.
    json enable_est ["est-enable"] (authority) send EnableEstRequest => EstView;
    /// Closes an authority to EST.
    nothing disable_est ["est-disable"] (authority);
}
