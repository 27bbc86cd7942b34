//! Values for a plan, from hostile text: parsed and printed again, or not taken at all.
//!
//! What an alert says came from log lines, and so from whoever writes to the application. Every kind
//! of value is a closed set or a narrow grammar; there is deliberately no kind for free text.
//!
//! Architecture Invariant: pure. Whoever has the inventory or the document store brings its entries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::definition::template::{Value, is_unprintable};
use super::inventory::Entry;
use crate::toml_source::shown;

/// Longest value, in bytes.
pub const LONGEST: usize = 128;

/// What a value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One of these.
    Enum(Vec<String>),
    /// An entry of this inventory.
    Inventory(String),
    /// A public network address.
    Ip,
    /// Somebody who has a document in this collection: by its id, or by one of these fields.
    User {
        /// The collection.
        collection: String,
        /// Fields that name them too.
        fields: Vec<String>,
    },
    /// Name of an operation.
    Operation,
}

impl Kind {
    /// The word in definitions and plans.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Enum(_) => "enum",
            Self::Inventory(_) => "inventory",
            Self::Ip => "ip",
            Self::User { .. } => "user",
            Self::Operation => "operation",
        }
    }

    /// What it wants, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Enum(values) => format!("one of {}", values.join(", ")),
            Self::Inventory(name) => format!("an entry of the inventory `{name}`"),
            Self::Ip => "a public network address".to_owned(),
            Self::User { collection, .. } => format!("a user with a document in `{collection}`"),
            Self::Operation => "the name of an operation".to_owned(),
        }
    }
}

/// A range of addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl std::str::FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let wrong = || format!("`{}` is no network; want `192.0.2.0/24` or one address", shown(text));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

impl Network {
    /// Whether an address lies in it.
    pub fn holds(&self, address: IpAddr) -> bool {
        let same = |mine: u128, theirs: u128, width: u32| {
            let bits = u32::from(self.bits);
            bits == 0 || (mine ^ theirs) >> (width - bits) == 0
        };
        match (self.address, address) {
            (IpAddr::V4(mine), IpAddr::V4(theirs)) => {
                same(u128::from(mine.to_bits()), u128::from(theirs.to_bits()), 32)
            }
            (IpAddr::V6(mine), IpAddr::V6(theirs)) => same(mine.to_bits(), theirs.to_bits(), 128),
            _ => false,
        }
    }
}

/// One of some words.
///
/// # Errors
/// Why it is none.
pub fn read_enum(raw: &str, words: &[String]) -> Result<Value, String> {
    match words.iter().find(|word| *word == raw) {
        Some(word) => Ok(Value { text: word.clone(), ..Value::default() }),
        None => Err(format!("`{}` is none of {}", shown(raw), words.join(", "))),
    }
}

/// Name of an operation: 1 to 64 of `a-z 0-9 _ . -`, beginning with a letter or a digit.
///
/// # Errors
/// Why it is none.
pub fn read_operation(raw: &str) -> Result<Value, String> {
    let begins = raw.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit());
    let letters = raw.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte));
    if begins && letters && raw.len() <= 64 && !raw.contains("..") {
        return Ok(Value { text: raw.to_owned(), ..Value::default() });
    }
    Err(format!("`{}` is no name of an operation (a-z, 0-9, `_`, `.`, `-`; 64 at most)", shown(raw)))
}

/// A public address, in the one way it is written.
///
/// # Errors
/// Why it is none, or may not be touched.
pub fn read_ip(raw: &str, never: &[Network]) -> Result<Value, String> {
    let address: IpAddr = raw.parse().map_err(|_| format!("`{}` is no network address", shown(raw)))?;
    let address = plain(address);
    if let Some(why) = reserved(address) {
        return Err(format!("{address} is {why}, and is never acted on"));
    }
    if never.iter().any(|network| network.holds(address)) {
        return Err(format!("{address} stands in `never_block`"));
    }
    Ok(Value { text: address.to_string(), ..Value::default() })
}

/// IPv6 that only carries an IPv4 address is that address.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => embedded(six).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Mapped, compatible, 6to4 and NAT64 addresses.
fn embedded(six: Ipv6Addr) -> Option<Ipv4Addr> {
    let part = six.segments();
    let four = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match part {
        // The old compatible form; `::1` and its neighbours are no IPv4 addresses.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(four(high, low)),
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(four(high, low))
        }
        _ => None,
    }
}

fn reserved(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(four) => reserved_four(four),
        IpAddr::V6(six) => reserved_six(six),
    }
}

fn reserved_four(four: Ipv4Addr) -> Option<&'static str> {
    let [a, b, ..] = four.octets();
    match (a, b) {
        _ if four.is_loopback() => Some("loopback"),
        _ if four.is_private() => Some("private"),
        _ if four.is_link_local() => Some("link-local"),
        (0, _) => Some("unspecified"),
        _ if four.is_multicast() => Some("multicast"),
        (240.., _) => Some("reserved or broadcast"),
        (100, 64..128) => Some("shared within a carrier"),
        (198, 18 | 19) => Some("for benchmarks"),
        (192, 0) if four.octets()[2] == 0 => Some("for protocols"),
        _ => None,
    }
}

fn reserved_six(six: Ipv6Addr) -> Option<&'static str> {
    match six.segments() {
        _ if six.is_loopback() => Some("loopback"),
        _ if six.is_unspecified() => Some("unspecified"),
        _ if six.is_multicast() => Some("multicast"),
        [first, ..] if first & 0xffc0 == 0xfe80 => Some("link-local"),
        [first, ..] if first & 0xffc0 == 0xfec0 => Some("site-local"),
        [first, ..] if first & 0xfe00 == 0xfc00 => Some("private"),
        [first, ..] if first & 0xe000 != 0x2000 => Some("not a public address"),
        _ => None,
    }
}

/// The entry of a list that a text names, by its value or an alias.
///
/// # Errors
/// That there is none.
pub fn read_entry<'e>(raw: &str, inventory: &str, entries: &'e [Entry]) -> Result<&'e Entry, String> {
    let named = |entry: &&Entry| entry.value == raw || entry.aliases.iter().any(|alias| alias == raw);
    let found = entries.iter().find(named);
    let entry = found.ok_or_else(|| format!("`{}` does not stand in the inventory `{inventory}`", shown(raw)))?;
    if is_id(&entry.value) {
        return Ok(entry);
    }
    Err(format!("the entry `{}` of the inventory `{inventory}` is no plain name", shown(&entry.value)))
}

/// What a user can be called: an id or an e-mail address, and never a pseudonym.
///
/// # Errors
/// Why it is none.
pub fn read_user(raw: &str) -> Result<&str, String> {
    if raw.starts_with("u~") {
        return Err("the user stands as a pseudonym here (`redact.mode = \"strict\"`), which this server cannot \
                    resolve for a plan; propose it by hand with the user's id"
            .to_owned());
    }
    if is_id(raw) {
        return Ok(raw);
    }
    Err(format!("`{}` is no id of a user", shown(raw)))
}

/// A plain name: letters, digits and `. _ @ : + -`, beginning with a letter or digit.
pub fn is_id(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.len() <= LONGEST
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._@:+-".contains(&byte))
        && !text.contains("..")
}

/// Forms that an application gave an e-mail address where an id should stand: `ana@x.org` → `ana_x_org`.
pub fn underscored(email: &str) -> String {
    email.replace(['@', '.'], "_")
}

/// True for text that may be looked at for a value at all.
pub fn is_readable(raw: &str) -> bool {
    !raw.is_empty() && raw.len() <= LONGEST && !raw.chars().any(is_unprintable)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_printed_in_one_way_and_no_inner_one_passes() {
        let never: Vec<Network> = ["192.0.2.0/24", "2001:db8::/32"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(read_ip("203.0.113.9", &never).unwrap().text, "203.0.113.9");
        assert_eq!(read_ip("::ffff:203.0.113.9", &never).unwrap().text, "203.0.113.9");
        assert_eq!(read_ip("2606:4700:0:0:0:0:0:1", &never).unwrap().text, "2606:4700::1");
        let inner = [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "fec0::1",
            "100::1",
            "192.0.2.10",
            "2001:db8::7",
        ];
        for text in inner {
            assert!(read_ip(text, &never).is_err(), "{text}");
        }
        for text in
            ["0x7f.1", "2130706433", "0177.0.0.1", "203.0.113.9/32", "203.0.113.9 ", "1.2.3", "[::1]", "fe80::1%eth0"]
        {
            assert!(read_ip(text, &never).is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_other() {
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.holds("9.9.9.9".parse().unwrap()) && !all.holds("2606::1".parse().unwrap()));
        let one: Network = "198.51.100.7".parse().unwrap();
        assert!(one.holds("198.51.100.7".parse().unwrap()) && !one.holds("198.51.100.6".parse().unwrap()));
        for bad in ["198.51.100.7/33", "::1/129", "x", "1.2.3.4/-1", ""] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pseudonym_is_no_user_and_says_so() {
        assert!(read_user("u~abcd.0123").unwrap_err().contains("pseudonym"));
        assert_eq!(read_user("ana.alba@example.com").unwrap(), "ana.alba@example.com");
        for bad in ["", "-x", "a/b", "a b", "../x", "a\nb", "a;b", "é"] {
            assert!(read_user(bad).is_err(), "{bad}");
        }
    }
}
