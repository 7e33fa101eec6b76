//! The conditions a pattern can put on one scalar value of an event.

use std::net::IpAddr;

use serde_json::Number;

use super::node::Scalar;

/// Numbers are compared as millionths: EventBridge promises six digits right of the decimal point.
const MILLION: f64 = 1e6;

/// The largest number `numeric` takes, and the smallest when negative.
const LARGEST: f64 = 5e9;

#[derive(Debug, Clone)]
pub(super) enum Condition {
    Null,
    Bool(bool),
    Number(Number),
    Text(Text),
    Numeric(Range),
    Cidr(Cidr),
    /// Any leaf value, null and the empty string included.
    Exists,
    /// Any scalar but these strings. The field must be there.
    NoneOfText(Box<[Text]>),
    /// Any scalar but these numbers, in millionths. The field must be there.
    NoneOfNumbers(Box<[i64]>),
}

impl Condition {
    pub(super) fn holds(&self, scalar: &Scalar<'_>) -> bool {
        match (self, scalar) {
            (Self::Exists, _) | (Self::Null, Scalar::Null) => true,
            (Self::Bool(wanted), Scalar::Bool(value)) => wanted == value,
            (Self::Number(wanted), Scalar::Number(value)) => same_number(wanted, value),
            (Self::Text(text), Scalar::Text(value)) => text.holds(value),
            (Self::Numeric(range), Scalar::Number(value)) => millionths(value).is_some_and(|value| range.holds(value)),
            (Self::Cidr(cidr), Scalar::Text(value)) => cidr.holds(value),
            (Self::NoneOfText(refused), Scalar::Text(value)) => !refused.iter().any(|text| text.holds(value)),
            (Self::NoneOfNumbers(refused), Scalar::Number(value)) => {
                millionths(value).is_none_or(|value| !refused.contains(&value))
            }
            // `anything-but` a string is true of a number, and the other way round.
            (Self::NoneOfText(_) | Self::NoneOfNumbers(_), _) => true,
            _ => false,
        }
    }
}

/// A number in millionths, if EventBridge can compare it at all.
pub(super) fn millionths(number: &Number) -> Option<i64> {
    let value = number.as_f64().filter(|value| value.abs() <= LARGEST)?;
    // In range by the line above: 5e15 is far below i64::MAX and exact in f64.
    Some((value * MILLION).round() as i64)
}

/// Too large to compare (an account id as a number, say): then only the same number matches.
fn same_number(left: &Number, right: &Number) -> bool {
    match (millionths(left), millionths(right)) {
        (Some(left), Some(right)) => left == right,
        (None, None) => left == right,
        _ => false,
    }
}

/// A condition on a string. What ignores case is kept in lower case.
#[derive(Debug, Clone)]
pub(super) enum Text {
    Equals(Box<str>),
    EqualsIgnoreCase(Box<str>),
    Prefix(Box<str>),
    PrefixIgnoreCase(Box<str>),
    Suffix(Box<str>),
    SuffixIgnoreCase(Box<str>),
    Wildcard(Wildcard),
}

impl Text {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Equals(text) => **text == *value,
            Self::EqualsIgnoreCase(text) => text.chars().eq(lower_case(value)),
            Self::Prefix(text) => value.starts_with(&**text),
            Self::PrefixIgnoreCase(text) => starts_with(lower_case(value), text.chars()),
            Self::Suffix(text) => value.ends_with(&**text),
            Self::SuffixIgnoreCase(text) => starts_with(lower_case(value).rev(), text.chars().rev()),
            Self::Wildcard(wildcard) => wildcard.holds(value),
        }
    }
}

pub(super) fn lower_case(text: &str) -> impl DoubleEndedIterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn starts_with(mut value: impl Iterator<Item = char>, mut start: impl Iterator<Item = char>) -> bool {
    start.all(|wanted| value.next() == Some(wanted))
}

/// The literal pieces between the asterisks: `a*b` is `["a", "b"]`, `*` is `["", ""]`, and no asterisk is one piece.
#[derive(Debug, Clone)]
pub(super) struct Wildcard(Box<[Box<str>]>);

impl Wildcard {
    /// Says what is wrong in AWS's words; positions count the opening quote, as AWS does.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut piece = String::new();
        let mut rest = text.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            match c {
                '*' if rest.next_if(|(_, next)| *next == '*').is_some() => {
                    return Err(format!("Consecutive wildcard characters at pos {}", at + 1));
                }
                '*' => pieces.push(std::mem::take(&mut piece).into()),
                '\\' => match rest.next_if(|(_, next)| matches!(next, '*' | '\\')) {
                    Some((_, escaped)) => piece.push(escaped),
                    None => return Err(format!("Invalid escape character at pos {}", at + 1)),
                },
                _ => piece.push(c),
            }
        }
        pieces.push(piece.into());
        Ok(Self(pieces.into()))
    }

    /// The first place a piece fits is always good enough: only the last piece is tied to a place.
    fn holds(&self, value: &str) -> bool {
        let [first, between @ .., last] = &*self.0 else {
            return *self.0[0] == *value;
        };
        let Some(value) = value.strip_prefix(&**first) else {
            return false;
        };
        let Some(mut value) = value.strip_suffix(&**last) else {
            return false;
        };
        between.iter().all(|piece| match value.split_once(&**piece) {
            Some((_, rest)) => {
                value = rest;
                true
            }
            None => false,
        })
    }
}

/// Bounds in millionths, both inclusive.
#[derive(Debug, Clone)]
pub(super) struct Range {
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Range {
    /// Every number that can be compared.
    pub(super) const ALL: Self = Self { low: -5_000_000_000_000_000, high: 5_000_000_000_000_000 };

    fn holds(&self, value: i64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// A block of IPv4 or IPv6 addresses, as the bits that must be equal.
#[derive(Debug, Clone)]
pub(super) struct Cidr {
    network: u128,
    mask: u128,
    is_v4: bool,
}

impl Cidr {
    /// Says what is wrong in AWS's words. Single addresses (/32, /128) are refused, as Ruler does: write them plainly.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some((address, bits)) = text.split_once('/').filter(|(_, bits)| !bits.is_empty() && !bits.contains('/'))
        else {
            return Err("Malformed CIDR, one '/' required".to_owned());
        };
        let Ok(bits) = bits.parse::<i32>() else {
            return Err("Malformed CIDR, mask bits must be an integer".to_owned());
        };
        let Ok(bits) = u32::try_from(bits) else {
            return Err("Malformed CIDR, mask bits must not be negative".to_owned());
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(format!("Nonstandard IP address: {address}"));
        };
        let (is_v4, width) = if address.is_ipv4() { (true, 32) } else { (false, 128) };
        if bits >= width {
            return Err(format!("IPv{} mask bits must be < {width}", if is_v4 { 4 } else { 6 }));
        }
        // `bits` < `width`, so the shift is at least 1; it is 128 for ::/0, where nothing is left to compare.
        let mask = u128::MAX.checked_shl(width - bits).unwrap_or(0);
        Ok(Self { network: number_of(address) & mask, mask, is_v4 })
    }

    fn holds(&self, value: &str) -> bool {
        value
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_ipv4() == self.is_v4 && number_of(address) & self.mask == self.network)
    }
}

fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}
