//! Requests for approval, and approvals.

use skms_wire::native::approvals::{
    ApprovalKey, ApprovalView, ApproveRequest, RejectApprovalRequest,
};

calls! {
    /// A page of the requests for approval, newest first.
    page approvals ["approval-list"] () => ApprovalView;
    /// Shows a request for approval.
    json approval ["approval-read"] (approval) => ApprovalView;
    /// Approves of a request.
    json approve ["approval-approve"] (approval) send ApproveRequest => ApprovalView;
    /// Rejects a request.
    json reject_approval ["approval-reject"] (approval) send RejectApprovalRequest => ApprovalView;
    /// The public key by which the server signs for approvers.
    json approval_key ["approval-key"] () => ApprovalKey;
}
