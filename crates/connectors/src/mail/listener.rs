//! A small SMTP server that keeps what it receives in a [`Mailbox`] and passes nothing on. The demo's customers read
//! their mail here, and tests make it misbehave. It knows no accounts: bind it to loopback.

mod conduct;
mod conversation;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bursar_domain::time::BusinessTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use conduct::{Conduct, Misbehaviour};
use conversation::Conversation;

use super::mailbox::Mailbox;

/// Says what time it is when a letter arrives.
pub type Clock = Arc<dyn Fn() -> BusinessTime + Send + Sync>;

/// What one client may ask of us.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub message_bytes: usize,
    /// With the line end, as RFC 5321 counts.
    pub line_bytes: u64,
    pub recipients: usize,
    pub connections: usize,
    /// From one line to the next.
    pub idle: Duration,
    /// From greeting to goodbye.
    pub connection: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            line_bytes: 1000,
            recipients: 100,
            connections: 64,
            idle: Duration::from_mins(1),
            connection: Duration::from_mins(10),
        }
    }
}

/// Bound, and answering as long as [`serve`](MailListener::serve) runs.
pub struct MailListener {
    socket: TcpListener,
    desk: Arc<Desk>,
}

/// What every conversation needs.
struct Desk {
    mailbox: Arc<Mailbox>,
    clock: Clock,
    limits: Limits,
    conduct: Conduct,
}

impl MailListener {
    /// Port 0 takes any free one.
    pub async fn bind(
        address: SocketAddr,
        mailbox: Arc<Mailbox>,
        clock: Clock,
        limits: Limits,
    ) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let desk = Arc::new(Desk { mailbox, clock, limits, conduct: Conduct::default() });
        Ok(Self { socket, desk })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The switch that makes this listener misbehave.
    pub fn conduct(&self) -> Conduct {
        self.desk.conduct.clone()
    }

    /// Answers until `stop` is ready; conversations then still open are cut off.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send) {
        let mut conversations = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let has_room = conversations.len() < self.desk.limits.connections;
            tokio::select! {
                () = &mut stop => return,
                Some(_ended) = conversations.join_next() => {}
                accepted = self.socket.accept(), if has_room => match accepted {
                    Ok((client, _)) => { conversations.spawn(converse(client, self.desk.clone())); }
                    Err(error) => {
                        tracing::warn!(%error, "mail listener could not accept a connection");
                        // Out of descriptors, most likely: without a pause this would spin.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    }
}

async fn converse(client: TcpStream, desk: Arc<Desk>) {
    let limit = desk.limits.connection;
    match timeout(limit, Conversation::new(client, desk).run()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "mail client went away"),
        Err(_) => tracing::debug!("mail client was cut off for taking too long"),
    }
}
