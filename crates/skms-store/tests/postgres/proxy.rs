//! A wire between the store and the server that tests can cut and hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Carries everything.
    Open,
    /// Ends every connection, and every new one.
    Cut,
    /// Carries nothing, and ends nothing.
    Held,
    /// Carries what the store says; the server's answers are held back.
    Deaf,
}

pub struct Proxy {
    pub port: u16,
    wire: watch::Sender<Wire>,
    /// Connections carried.
    live: watch::Sender<usize>,
    /// The wire goes deaf once the store has said COMMIT.
    armed: Arc<AtomicBool>,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (wire, watched) = watch::channel(Wire::Open);
        let (live, _) = watch::channel(0);
        let armed = Arc::new(AtomicBool::new(false));
        let (counted, arm, told) = (live.clone(), Arc::clone(&armed), wire.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (wire, told, arm) = (watched.clone(), told.clone(), Arc::clone(&arm));
                counted.send_modify(|count| *count += 1);
                let counted = counted.clone();
                tokio::spawn(async move {
                    carry(near, port, wire, told, arm).await;
                    counted.send_modify(|count| *count -= 1);
                });
            }
        });
        Self {
            port: own,
            wire,
            live,
            armed,
        }
    }

    pub fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }

    /// Ends every connection, and every new one; waits until none is left.
    pub async fn cut(&self) {
        self.set(Wire::Cut);
        let mut live = self.live.subscribe();
        live.wait_for(|count| *count == 0).await.unwrap();
    }

    /// The next COMMIT reaches the server, and its answer does not come back.
    pub fn lose_the_next_commits_answer(&self) {
        self.armed.store(true, Ordering::Relaxed);
    }

    /// Waits until a COMMIT's answer was lost.
    pub async fn lost(&self) {
        let mut watched = self.wire.subscribe();
        watched.wait_for(|wire| *wire == Wire::Deaf).await.unwrap();
    }
}

async fn carry(
    mut near: TcpStream,
    port: u16,
    mut wire: watch::Receiver<Wire>,
    told: watch::Sender<Wire>,
    armed: Arc<AtomicBool>,
) {
    if *wire.borrow() == Wire::Cut {
        return;
    }
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (mut from_store, mut from_server) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let now = *wire.borrow_and_update();
        tokio::select! {
            biased;
            changed = wire.changed() => if changed.is_err() { return },
            read = near.read(&mut from_store), if matches!(now, Wire::Open | Wire::Deaf) => {
                let Ok(length @ 1..) = read else { return };
                let said = &from_store[..length];
                if said.windows(7).any(|bytes| bytes == b"COMMIT\0")
                    && armed.swap(false, Ordering::Relaxed)
                {
                    told.send_replace(Wire::Deaf);
                }
                if far.write_all(said).await.is_err() { return }
            }
            read = far.read(&mut from_server), if now == Wire::Open => {
                let Ok(length @ 1..) = read else { return };
                if near.write_all(&from_server[..length]).await.is_err() { return }
            }
            () = std::future::ready(()), if now == Wire::Cut => return,
        }
    }
}
