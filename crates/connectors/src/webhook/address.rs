//! Where a webhook may go. An address that somebody wrote into a configuration can still be wrong, and a name that was
//! right can come to mean another machine: metadata services, this machine's own ports and private networks answer to
//! whoever is near enough, and we are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use crate::Error;

/// Which networks a webhook may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the public internet.
    #[default]
    Public,
    /// Those of private networks too, because somebody said so.
    Private,
}

/// Whom an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// This machine, by name or address, and nothing else.
    Loopback,
    Elsewhere(Reach),
}

impl Target {
    pub(super) fn allows(self, address: IpAddr) -> bool {
        match self {
            Target::Loopback => address.to_canonical().is_loopback(),
            Target::Elsewhere(reach) => match network(address) {
                Network::Public => true,
                Network::Private => reach == Reach::Private,
                Network::Special => false,
            },
        }
    }
}

/// The address as it will be called, and whom it means.
pub(super) fn check(text: &str, reach: Reach) -> Result<(Url, Target), Error> {
    let refused = |why| Error::WebhookAddress { why };
    let url = Url::parse(text).map_err(|_| refused("is no URL"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(refused("does not begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("holds a user or password"));
    }
    if url.fragment().is_some() {
        return Err(refused("holds a fragment"));
    }
    // The parser has turned 0x7f000001, 127.1 and the like into the addresses they are.
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let is_here = literal.map_or(host == "localhost", |address| address.to_canonical().is_loopback());
    let target = if is_here { Target::Loopback } else { Target::Elsewhere(reach) };
    if literal.is_some_and(|address| !target.allows(address)) {
        return Err(refused(
            "is one of a private or special network; private ones are allowed by private_network = true",
        ));
    }
    if url.scheme() == "http" && !is_here {
        return Err(refused("is not encrypted: https:// is for everything beyond this machine"));
    }
    Ok((url, target))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    Public,
    Private,
    /// Of this machine, of its nearest neighbours, of nobody, or a way around the rules for the others.
    Special,
}

fn network(address: IpAddr) -> Network {
    match address {
        IpAddr::V4(address) => network_of_v4(address),
        IpAddr::V6(address) => network_of_v6(address),
    }
}

fn network_of_v4(address: Ipv4Addr) -> Network {
    // The metadata service of a cloud that keeps it in the shared range.
    const METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    match address.octets() {
        _ if address == METADATA => Network::Special,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Network::Private,
        // Nobody, this machine, link-local, protocol assignments, documentation, the old way to 6to4, benchmarks,
        // multicast and what is reserved.
        [0 | 127 | 224..=255, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Network::Special,
        _ => Network::Public,
    }
}

fn network_of_v6(address: Ipv6Addr) -> Network {
    // The metadata service of a cloud that keeps it in the private range.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        network_of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        _ if address == METADATA => Network::Special,
        // An address of version 4 in another dress: mapped, behind a translator, by 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        // Teredo and other protocol assignments, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Network::Special,
        [0xfc00..=0xfdff, ..] => Network::Private,
        [0x2000..=0x3fff, ..] => Network::Public,
        _ => Network::Special,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, reach: Reach) -> Option<String> {
        check(url, reach).err().map(|error| error.to_string())
    }

    #[test]
    fn an_address_in_any_dress_is_what_it_is() {
        for url in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "gopher://hooks.example.com/",
            "ftp://hooks.example.com/",
            "hooks.example.com/x",
            "https://",
            "http://hooks.example.com/x",
            "https://api.stripe.com@hooks.example.com/x",
            "https://user:secret@hooks.example.com/x",
            "https://hooks.example.com/x#y",
            "https://169.254.169.254/latest/meta-data",
            "https://2852039166/latest/meta-data",
            "https://0xa9fea9fe/",
            "https://0251.0376.0251.0376/",
            "https://[::ffff:169.254.169.254]/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[64:ff9b:1::a9fe:a9fe]/",
            "https://[2002:a9fe:a9fe::]/",
            "https://[fd00:ec2::254]/",
            "https://[fe80::1]/",
            "https://[::]/",
            "https://[::127.0.0.1]/",
            "https://[2001::1]/",
            "https://[2001:db8::1]/",
            "https://[ff02::1]/",
            "https://0.0.0.0/",
            "https://0/",
            "https://100.100.100.200/",
            "https://198.18.0.1/",
            "https://203.0.113.7/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "http://localhost./x",
            "http://localhost.example/x",
            "http://[2002:7f00:1::]/",
        ] {
            assert!(refusal(url, Reach::Private).is_some(), "{url}");
        }
    }

    #[test]
    fn a_private_network_is_reached_where_somebody_said_so() {
        for url in [
            "https://10.0.0.7/x",
            "https://172.16.3.4/x",
            "https://192.168.1.1/x",
            "https://100.64.0.1/x",
            "https://[fd12:3456::1]/x",
            "https://[2002:c0a8::1]/x",
            "https://[::ffff:10.0.0.7]/x",
        ] {
            assert!(refusal(url, Reach::Public).is_some_and(|why| why.contains("private_network")), "{url}");
            assert_eq!(refusal(url, Reach::Private), None, "{url}");
            let plain = url.replace("https", "http");
            assert!(refusal(&plain, Reach::Private).is_some(), "{plain}");
        }
    }

    #[test]
    fn this_machine_is_reached_as_itself() {
        for url in [
            "http://127.0.0.1:9/x",
            "http://127.1:9/x",
            "http://0x7f000001/x",
            "http://[::1]:9/x",
            "http://localhost:9/x",
            "https://localhost/x",
        ] {
            assert_eq!(
                check(url, Reach::Public).map(|(_, target)| target).ok(),
                Some(Target::Loopback),
                "{url}"
            );
        }
        assert!(!Target::Loopback.allows("10.0.0.1".parse().unwrap()), "and as nobody else");
        assert!(!Target::Elsewhere(Reach::Private).allows("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn the_public_internet_is_open() {
        for url in
            ["https://hooks.example.com/a/b?c=d", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/"]
        {
            assert_eq!(refusal(url, Reach::Public), None, "{url}");
        }
    }
}
