//! Groups of principals who share a key.

use skms_wire::native::groups::{
    AddGroupMembersRequest, CreateGroupRequest, GroupMemberView, GroupView, HolderView,
    RemoveGroupMembersRequest,
};

calls! {
    /// A page of the groups.
    page groups ["group-list"] () => GroupView;
    /// Lets a group share a key.
    json create_group ["group-create"] () send CreateGroupRequest => GroupView;
    /// Shows a group.
    json group ["group-read"] (group) => GroupView;
    /// A page of a group's members.
    page group_members ["group-member-list"] (group) => GroupMemberView;
    /// Adds members.
    json add_group_members ["group-member-add"] (group) send AddGroupMembersRequest => GroupView;
    /// Removes members, and gives the key a new version.
    json remove_group_members ["group-member-remove"] (group) send RemoveGroupMembersRequest => GroupView;
    /// Gives a group's key a new version.
    json rekey_group ["group-rekey"] (group) => GroupView;
    /// Deletes a group.
    nothing delete_group ["group-delete"] (group);
    /// A page of those who were given a version of a group's key.
    page group_holders ["group-holders"] (group) => HolderView;
    /// A page of those who were given a version of a key.
    page key_holders ["key-holders"] (keyring, key) => HolderView;
}
