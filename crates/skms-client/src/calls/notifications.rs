//! Where notifications go, and those that were given up.

use skms_wire::native::notifications::{
    ChannelSecretResponse, ChannelTested, ChannelView, CreateChannelRequest, DeadLetterView,
    DeadLettersDone, DeadLettersRequest, RotateChannelSecretRequest, UpdateChannelRequest,
};

calls! {
    /// A page of the channels.
    page channels ["notification-channel-list"] () => ChannelView;
    /// Has events delivered.
    json create_channel ["notification-channel-create"] () send CreateChannelRequest
        => ChannelSecretResponse;
    /// Shows a channel and how it stands.
    json channel ["notification-channel-read"] (channel) => ChannelView;
    /// Changes a channel.
    json update_channel ["notification-channel-update"] (channel) send UpdateChannelRequest
        => ChannelView;
    /// Deletes a channel.
    nothing delete_channel ["notification-channel-delete"] (channel);
    /// Gives a webhook another secret.
    json rotate_channel_secret ["notification-channel-secret"] (channel)
        send RotateChannelSecretRequest => ChannelSecretResponse;
    /// Sends a message to a channel now.
    json test_channel ["notification-channel-test"] (channel) => ChannelTested;
    /// A page of what was given up.
    page dead_letters ["dead-letter-list"] (channel) => DeadLetterView;
    /// Delivers dead letters after all.
    json retry_dead_letters ["dead-letter-retry"] (channel) send DeadLettersRequest
        => DeadLettersDone;
    /// Lets dead letters go.
    json discard_dead_letters ["dead-letter-discard"] (channel) send DeadLettersRequest
        => DeadLettersDone;
}
