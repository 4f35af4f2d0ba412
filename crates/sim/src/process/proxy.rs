//! A way to a server on which things go wrong as they do on a network: connections are reset, fall silent, get slow, or
//! lose the one answer that mattered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    Clear,
    /// Every connection is reset, and every new one too.
    Reset,
    /// Nothing passes; once it is over, everything that waited does.
    Silent,
    /// The server lets go of every connection, and the other end is never told.
    HalfOpen,
    /// Each piece waits first.
    Slow(Duration),
    /// A few bytes at a time.
    Drip,
    /// Every fourth commit is carried out, and its answer lost with the connection.
    LoseCommits,
}

const DRIP_BYTES: usize = 48;
const DRIP_EVERY: Duration = Duration::from_millis(1);
const LOSE_EVERY: u64 = 4;
/// The statement as it stands on the wire.
const COMMIT: &[u8] = b"COMMIT\0";

pub(super) struct Proxy {
    /// `127.0.0.1:port`
    pub address: String,
    weather: watch::Sender<Weather>,
    commits: Arc<Commits>,
    // Everything it carries ends with it.
    _accepting: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Commits {
    seen: AtomicU64,
    lost: AtomicU64,
}

impl Proxy {
    pub(super) async fn before(server: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (weather, told) = watch::channel(Weather::Clear);
        let (commits, server) = (Arc::<Commits>::default(), server.to_owned());
        let counting = Arc::clone(&commits);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut carried = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let way = Way { told: told.clone(), commits: Arc::clone(&counting), server: server.clone() };
                carried.spawn(way.carry(client));
                while carried.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, weather, commits, _accepting: accepting })
    }

    pub(super) fn turn(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// How many commits were carried out without an answer.
    pub(super) fn commits_lost(&self) -> u64 {
        self.commits.lost.load(Ordering::SeqCst)
    }
}

struct Way {
    told: watch::Receiver<Weather>,
    commits: Arc<Commits>,
    server: String,
}

impl Way {
    async fn carry(mut self, mut client: TcpStream) {
        let _ = client.set_nodelay(true);
        if self.told.wait_for(|weather| *weather != Weather::Silent).await.is_err() {
            return;
        }
        let Ok(mut server) = TcpStream::connect(&self.server).await else { return reset(&client) };
        let _ = server.set_nodelay(true);
        let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
        loop {
            let weather = *self.told.borrow_and_update();
            match weather {
                Weather::Reset => return reset(&client),
                Weather::Silent => {
                    if self.told.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
                Weather::HalfOpen => {
                    drop(server);
                    return swallow(client).await;
                }
                _ => {}
            }
            tokio::select! {
                read = client.read(&mut up) => {
                    let Some(piece) = piece(read, &up) else { return };
                    let lost = weather == Weather::LoseCommits && self.loses(piece);
                    if pass(piece, &mut server, weather).await.is_err() {
                        return;
                    }
                    if lost {
                        // It is done once the server says so; nobody hears that.
                        let _ = server.read(&mut down).await;
                        self.commits.lost.fetch_add(1, Ordering::SeqCst);
                        return reset(&client);
                    }
                }
                read = server.read(&mut down) => {
                    let Some(piece) = piece(read, &down) else { return };
                    if pass(piece, &mut client, weather).await.is_err() {
                        return;
                    }
                }
                changed = self.told.changed() => if changed.is_err() { return },
            }
        }
    }

    fn loses(&self, piece: &[u8]) -> bool {
        let commits = piece.windows(COMMIT.len()).any(|part| part == COMMIT);
        commits && (self.commits.seen.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(LOSE_EVERY)
    }
}

/// What was read, unless that was the end.
fn piece(read: std::io::Result<usize>, buffer: &[u8]) -> Option<&[u8]> {
    read.ok().filter(|read| *read > 0).map(|read| &buffer[..read])
}

async fn pass(piece: &[u8], to: &mut TcpStream, weather: Weather) -> std::io::Result<()> {
    match weather {
        Weather::Slow(by) => {
            sleep(by).await;
            to.write_all(piece).await
        }
        Weather::Drip => {
            for few in piece.chunks(DRIP_BYTES) {
                to.write_all(few).await?;
                sleep(DRIP_EVERY).await;
            }
            Ok(())
        }
        _ => to.write_all(piece).await,
    }
}

/// Dropped without the politeness of an end.
fn reset(client: &TcpStream) {
    let _ = client.set_zero_linger();
}

/// Takes whatever comes and never answers.
async fn swallow(mut client: TcpStream) {
    let mut buffer = vec![0; 4 * 1024];
    while client.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that says the same back, and a client of it by way of the proxy.
    async fn echo() -> (Proxy, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        let proxy = Proxy::before(&address).await.unwrap();
        let client = TcpStream::connect(&proxy.address).await.unwrap();
        (proxy, client)
    }

    async fn said_back(client: &mut TcpStream, what: &[u8]) -> std::io::Result<Vec<u8>> {
        client.write_all(what).await?;
        let mut back = vec![0; what.len()];
        client.read_exact(&mut back).await?;
        Ok(back)
    }

    #[tokio::test]
    async fn everything_passes_whatever_the_pace() {
        for weather in [Weather::Clear, Weather::Slow(Duration::from_millis(1)), Weather::Drip] {
            let (proxy, mut client) = echo().await;
            proxy.turn(weather);
            let what: Vec<u8> = (0..200).collect();
            assert_eq!(said_back(&mut client, &what).await.unwrap(), what, "{weather:?}");
        }
    }

    #[tokio::test]
    async fn a_reset_ends_it_and_silence_does_not() {
        let (proxy, mut client) = echo().await;
        said_back(&mut client, b"one").await.unwrap();
        proxy.turn(Weather::Silent);
        client.write_all(b"two").await.unwrap();
        proxy.turn(Weather::Clear);
        let mut back = [0; 3];
        client.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"two", "it waited, and came");
        proxy.turn(Weather::Reset);
        assert!(said_back(&mut client, b"three").await.is_err());
    }

    #[tokio::test]
    async fn every_fourth_commit_is_done_and_not_answered() {
        let (proxy, _) = echo().await;
        proxy.turn(Weather::LoseCommits);
        for number in 1..=8 {
            let mut client = TcpStream::connect(&proxy.address).await.unwrap();
            let answered = said_back(&mut client, COMMIT).await.is_ok();
            assert_eq!(answered, number % 4 != 0, "{number}");
        }
        assert_eq!(proxy.commits_lost(), 2);
    }
}
