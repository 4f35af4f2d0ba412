//! Names become addresses here, and each is judged before anybody connects to it: a name that was harmless when it was
//! checked may have come to mean something else. What was judged is what is connected to.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::Target;

#[derive(Debug)]
pub(super) struct Guarded(Target);

impl Guarded {
    pub(super) fn new(target: Target) -> Self {
        Self(target)
    }

    /// Where a name or an address leads, if all of it is where it may. The port is to be set.
    pub(super) async fn look_up(&self, host: &str) -> Result<Vec<SocketAddr>, String> {
        let found = tokio::net::lookup_host((host, 0)).await;
        let found = found.map_err(|_| "the name leads nowhere".to_owned())?;
        judged(self.0, found.collect())
    }
}

/// All of them, or none: of a name with one foot in a forbidden place nobody knows which it will stand on.
fn judged(target: Target, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
    if found.is_empty() {
        return Err("the name leads nowhere".to_owned());
    }
    match found.iter().find(|address| !target.allows(address.ip())) {
        Some(_) => Err("the name leads into a private or special network".to_owned()),
        None => Ok(found),
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Self(self.0);
        Box::pin(async move {
            let found = guard.look_up(name.as_str()).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::Reach;
    use super::*;

    fn at(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect()
    }

    #[test]
    fn a_name_that_comes_to_mean_another_machine_is_not_followed() {
        let public = Target::Elsewhere(Reach::Public);
        assert!(judged(public, at(&["93.184.215.14", "2606:2800:21f::1"])).is_ok());
        for found in [&["127.0.0.1"][..], &["93.184.215.14", "10.0.0.1"], &["169.254.169.254"], &["::1"], &[]]
        {
            assert!(judged(public, at(found)).is_err(), "{found:?}");
        }
        assert!(judged(Target::Elsewhere(Reach::Private), at(&["10.0.0.1"])).is_ok());
        assert!(judged(Target::Loopback, at(&["127.0.0.1", "::1"])).is_ok());
        assert!(judged(Target::Loopback, at(&["127.0.0.1", "10.0.0.1"])).is_err());
    }
}
