//! A request's body as it arrives: within its time, at a least pace, and within the bytes that all bodies share. What
//! breaks a limit breaks off, and is answered for what it is.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Body as Bodily, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::crowd::Place;
use super::headers::closing;
use super::limits::{BODIES_BYTES_MAX, BODY_BYTES_FREE, Limits};
use super::problem::Problem;

/// Bytes that all longer bodies hold at this moment.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<AtomicUsize>);

/// What one request's body comes to, for as long as the request is worked on.
#[derive(Debug)]
pub struct Load {
    all: Held,
    own: AtomicUsize,
    fate: AtomicU8,
}

const ON_TIME: u8 = 0;
const LATE: u8 = 1;
const TOO_MUCH: u8 = 2;

impl Load {
    pub fn new(all: &Held) -> Arc<Self> {
        Arc::new(Self { all: all.clone(), own: AtomicUsize::new(0), fate: AtomicU8::new(ON_TIME) })
    }

    /// Whether so many bytes more, after those that came, find room.
    fn takes(&self, came: usize, more: usize) -> bool {
        let over = (came + more).saturating_sub(BODY_BYTES_FREE).min(more);
        if over == 0 {
            return true;
        }
        let before = self.all.0.fetch_add(over, Ordering::Relaxed);
        self.own.fetch_add(over, Ordering::Relaxed);
        before + over <= BODIES_BYTES_MAX
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.own.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// The body itself.
#[derive(Debug)]
pub struct Arriving {
    body: Incoming,
    limits: Limits,
    began: Instant,
    came: usize,
    /// Runs while nothing comes.
    until: Option<Pin<Box<Sleep>>>,
    load: Arc<Load>,
    place: Arc<Place>,
}

impl Arriving {
    pub fn new(body: Incoming, limits: Limits, load: Arc<Load>, place: Arc<Place>) -> Self {
        if body.is_end_stream() {
            place.is_heard();
        }
        Self { body, limits, began: Instant::now(), came: 0, until: None, load, place }
    }

    fn breaks_off(&self, why: u8) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        self.load.fate.store(why, Ordering::Relaxed);
        Poll::Ready(Some(Err("the body broke a limit".into())))
    }

    fn until(&self) -> Instant {
        self.began + self.limits.body_patience(u64::try_from(self.came).unwrap_or(u64::MAX))
    }
}

impl Bodily for Arriving {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let more = frame.data_ref().map_or(0, Bytes::len);
                if !self.load.takes(self.came, more) {
                    return self.breaks_off(TOO_MUCH);
                }
                self.came += more;
                if self.body.is_end_stream() {
                    self.place.is_heard();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                self.place.is_heard();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let until = self.until();
                let sleep = self.until.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
                if sleep.deadline() != until {
                    sleep.as_mut().reset(until);
                }
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.breaks_off(LATE)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Answers for a body that broke a limit, whatever its handler made of the broken body.
pub async fn judge(request: Request, next: Next) -> Response {
    let load = request.extensions().get::<Arc<Load>>().cloned();
    let response = next.run(request).await;
    let problem = match load.map_or(ON_TIME, |load| load.fate.load(Ordering::Relaxed)) {
        LATE => Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body did not arrive in time"),
        TOO_MUCH => Problem {
            retry_after_s: Some(1),
            ..Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "too many large bodies at once: nothing was kept, please come again",
            )
        },
        _ => return response,
    };
    closing(problem.into_response())
}

/// An answer whose connection counts as being answered until the last of it is written.
#[derive(Debug)]
pub struct Answer {
    body: Body,
    place: Arc<Place>,
}

impl Answer {
    pub fn of(response: Response, place: Arc<Place>) -> axum::http::Response<Self> {
        response.map(|body| Self { body, place })
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.place.is_answered();
    }
}

impl Bodily for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_share_and_small_ones_always_find_room() {
        let all = Held::default();
        let piece = 1024 * 1024;
        let large: Vec<_> = (0..33).map(|_| Load::new(&all)).collect();
        let fit = large.iter().filter(|load| load.takes(BODY_BYTES_FREE, piece)).count();
        assert_eq!(fit, 32);
        assert!(Load::new(&all).takes(0, BODY_BYTES_FREE), "a usual event");
        assert!(!Load::new(&all).takes(1, BODY_BYTES_FREE));
        drop(large);
        assert_eq!(all.0.load(Ordering::Relaxed), 0, "all is given back");
    }
}
