//! The accept loop: so many connections, bounded heads, time-outs against slow senders, a graceful end. Nothing is answered
//! that two readers could cut in two ways.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tower::Service as _;

use super::arriving::{Answer, Arriving, Held, Load};
use super::crowd::{Crowd, Place};
use super::headers::closing;
use super::heads::Heads;
use super::limits::{HEAD_BYTES_MAX, Limits};
use super::wire::Watched;

const DRAIN: Duration = Duration::from_secs(3);

/// Serves until `stop` is done, then lets requests in flight finish.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(limits.headers).max_buf_size(HEAD_BYTES_MAX);
    let door = Door { protocol, router, limits, held: Held::default() };
    let crowd = Crowd::new(&limits);
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors or the like: wait for some to come free.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let Some(place) = crowd.enter(peer.ip()) else { continue };
        tokio::spawn(door.clone().attend(stream, peer, place, graceful.watcher()));
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

/// What every connection is served with.
#[derive(Clone)]
struct Door {
    protocol: http1::Builder,
    router: Router,
    limits: Limits,
    held: Held,
}

impl Door {
    /// One connection, until it ends or somebody else needs its place more.
    async fn attend(self, stream: TcpStream, peer: SocketAddr, place: Place, watcher: Watcher) {
        // Small answers go out at once.
        let _ = stream.set_nodelay(true);
        let (heads, place) = (Heads::default(), Arc::new(place));
        let stream = TokioIo::new(Watched::new(stream, heads.clone(), self.limits.unread));
        let (protocol, at) = (self.protocol.clone(), Arc::clone(&place));
        let service = service_fn(move |request: Request<Incoming>| {
            let refused = refusal(&request, &heads);
            let (door, place) = (self.clone(), Arc::clone(&at));
            async move {
                let answer = match refused {
                    Some(refusal) => refusal,
                    None => door.answer(request, peer, Arc::clone(&place)).await,
                };
                Ok::<_, Infallible>(Answer::of(answer, place))
            }
        });
        let connection = watcher.watch(protocol.serve_connection(stream, service));
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            },
            () = place.displaced() => tracing::debug!(%peer, "a connection made room for another"),
        }
    }

    async fn answer(mut self, request: Request<Incoming>, peer: SocketAddr, place: Arc<Place>) -> Response {
        let load = Load::new(&self.held);
        let mut request = request.map(|body| Arriving::new(body, self.limits, Arc::clone(&load), place));
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(load);
        self.router.call(request).await.unwrap_or_else(|never| match never {})
    }
}

/// Whoever stands between us and the sender may have gone by the other length.
fn refusal(request: &Request<Incoming>, heads: &Heads) -> Option<Response<Body>> {
    let twice = heads.say_the_length_twice(request.headers());
    twice.then(|| closing((StatusCode::BAD_REQUEST, "the body's length is given twice").into_response()))
}
