//! The accept loop: bounded headers, time-outs against slow senders, a graceful end. Nothing is answered that two readers
//! could cut in two ways.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use super::headers::closing;
use super::heads::{Heads, Watched};
use super::state::Deadlines;

const HEADER_BYTES_MAX: usize = 32 * 1024;
const DRAIN: Duration = Duration::from_secs(3);

/// Serves until `stop` is done, then lets requests in flight finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    deadlines: Deadlines,
    stop: impl Future<Output = ()>,
) {
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(deadlines.headers).max_buf_size(HEADER_BYTES_MAX);
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
        // Small answers go out at once.
        let _ = stream.set_nodelay(true);
        let heads = Heads::default();
        let stream = TokioIo::new(Watched::new(stream, heads.clone()));
        let service = TowerToHyperService::new(router.clone());
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = refusal(&request, &heads).map_or_else(|| Ok(service.call(request)), Err);
            async move {
                match answer {
                    Ok(answer) => answer.await,
                    Err(refusal) => Ok(refusal),
                }
            }
        });
        let connection = server.serve_connection(stream, service);
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

/// Whoever stands between us and the sender may have gone by the other length.
fn refusal(request: &Request<Incoming>, heads: &Heads) -> Option<Response<Body>> {
    let twice = heads.say_the_length_twice(request.headers());
    twice.then(|| closing((StatusCode::BAD_REQUEST, "the body's length is given twice").into_response()))
}
