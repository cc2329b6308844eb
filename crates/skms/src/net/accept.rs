//! Listening, and handing what arrives to the workers in turn.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};

use super::{
    connection::Door,
    load::Shed,
    log::Log,
    sources::{Connected, Connections},
};
use crate::faces::native::metrics::Metrics;

/// A connection on its way to a worker. The permit counts it until it ends,
/// and so does its source.
pub struct Arrival {
    pub stream: std::net::TcpStream,
    pub address: SocketAddr,
    pub door: Door,
    pub permit: OwnedSemaphorePermit,
    pub counted: Connected,
}

/// How many connections there may be, in all and from one source.
#[derive(Clone)]
pub struct Room {
    pub permits: Arc<Semaphore>,
    pub connections: Arc<Connections>,
    pub metrics: Arc<Metrics>,
}

/// Binds every address, or none.
///
/// # Errors
/// The first address that cannot be had, and why.
pub async fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| (*address, error))?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Accepts for as long as it is polled. One connection over the limit waits
/// here until another ends, and the rest in the operating system's queue; one
/// over its source's limit is closed.
pub async fn accept(
    (listener, door): (TcpListener, Door),
    room: Room,
    workers: Vec<mpsc::Sender<Arrival>>,
    log: Log,
) {
    let mut turn = 0usize;
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                log.warn(
                    "a connection could not be accepted",
                    &[("reason", error.to_string().into())],
                );
                // Out of file descriptors, mostly: waiting lets some close.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(stream) = stream.into_std() else {
            continue;
        };
        let Some(counted) = room.connections.open(address.ip()) else {
            room.metrics.turned.away(Shed::SourceConnections);
            continue;
        };
        let Ok(permit) = Arc::clone(&room.permits).acquire_owned().await else {
            return;
        };
        let arrival = Arrival {
            stream,
            address,
            door,
            permit,
            counted,
        };
        turn = turn.wrapping_add(1);
        let Some(worker) = workers.get(turn % workers.len().max(1)) else {
            return;
        };
        if worker.send(arrival).await.is_err() {
            return;
        }
    }
}
