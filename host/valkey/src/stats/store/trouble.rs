//! What errors of the server mean.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Whether an error means that the connection is of no use any more, or, of a cluster, that it leads to the wrong node.
pub(super) fn is_lost(error: &RedisError) -> bool {
    let kinds = [
        ServerErrorKind::ReadOnly,
        ServerErrorKind::BusyLoading,
        ServerErrorKind::MasterDown,
        ServerErrorKind::ClusterDown,
        // Also by the node that a call was sent on to.
        ServerErrorKind::Moved,
    ];
    error.is_io_error()
        || error.kind() == ErrorKind::ClusterConnectionNotFound
        || error.is_connection_dropped()
        || error.is_timeout()
        || kinds.into_iter().any(|kind| error.kind() == ErrorKind::Server(kind))
}

/// Whether the server says that another one has the key.
pub(super) fn is_elsewhere(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask))
}

/// Whether some of the keys are on another node already: their slot moves.
pub(super) fn is_split(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::TryAgain)
}

/// What to do about an error of a server that should be alone.
pub(super) fn advice(error: &RedisError) -> &'static str {
    if is_elsewhere(error) || error.kind() == ErrorKind::Server(ServerErrorKind::CrossSlot) {
        "; it is a node of a cluster: set the option cluster = \"true\""
    } else {
        ""
    }
}
