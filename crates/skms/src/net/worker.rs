//! One thread with one runtime, serving the connections it is handed.

use std::{io, sync::Arc, thread};

use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    accept::Arrival,
    connection::{self, Serving},
    load::Load,
};

/// Connections that may wait for one worker; beyond it the acceptor waits.
const QUEUE: usize = 128;

/// Starts a worker. It ends when `stop` says so and its connections have
/// finished or have used up the time they have for that.
///
/// # Errors
/// When the operating system gives no thread.
pub fn start(
    number: usize,
    serving: Arc<Serving>,
    stop: watch::Receiver<bool>,
) -> io::Result<(mpsc::Sender<Arrival>, thread::JoinHandle<()>)> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let handle = thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || runtime.block_on(work(receiver, serving, stop)))?;
    Ok((sender, handle))
}

async fn work(
    mut arrivals: mpsc::Receiver<Arrival>,
    serving: Arc<Serving>,
    mut stop: watch::Receiver<bool>,
) {
    let load = Load::new(serving.limits.requests_per_worker);
    serving.metrics.worker(Arc::clone(&load));
    let mut connections = JoinSet::new();
    let for_connections = stop.clone();
    loop {
        tokio::select! {
            arrival = arrivals.recv() => {
                let Some(arrival) = arrival else { break };
                let (serving, stop) = (Arc::clone(&serving), for_connections.clone());
                let load = Arc::clone(&load);
                connections.spawn(async move {
                    let Arrival { stream, address, door, permit, counted } = arrival;
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        connection::serve(stream, (address, door), &serving, &load, stop).await;
                    }
                    drop((permit, counted));
                });
            }
            Some(_ended) = connections.join_next() => {}
            _ = stop.wait_for(|stopping| *stopping) => break,
        }
    }
    let finish = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(serving.limits.drain_timeout, finish).await;
    connections.shutdown().await;
}
