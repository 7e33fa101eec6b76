//! What there is to say of a table and of each of its keys.

/// A table and its keys.
#[derive(Debug)]
pub struct Group {
    /// As messages name it: `[[service]]`, or in backticks one that is the value of a key.
    pub what: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys, in lists that tables share.
    pub keys: &'static [&'static [Key]],
    /// Which of its keys go together, beyond each one's [`Need`].
    pub rule: Rule,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What may be written after it.
    pub kind: Kind,
    /// Whether it must be there, and what holds where it is not.
    pub need: Need,
    /// What it does.
    pub meaning: &'static str,
    /// A value, as TOML. Empty where the value is a table with keys of its own.
    pub example: &'static str,
}

/// What may be written after a key.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text on one line.
    Line,
    /// Text, also on several lines.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number within these.
    Integer(u64, u64),
    /// A whole number up to this, or a word for "no limit".
    IntegerOr(u64, &'static str),
    /// One of these numbers.
    Number(&'static [u64]),
    /// A number from 0 to 1.
    Share,
    /// A time such as `1h 30m`, within these.
    Duration(&'static str, &'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// An account: twelve digits.
    Account,
    /// `CLUSTER/NAME`, or `ACCOUNT/CLUSTER/NAME`.
    Service,
    /// A list.
    List(&'static Kind),
    /// Either.
    Or(&'static Kind, &'static Kind),
    /// An object, as a table or as JSON text.
    Object,
    /// The tunables of the recovery, which the handlers know ([`handlers::policy::TUNABLES`]).
    Policy,
    /// A table.
    Table(&'static Group),
    /// A table that is written once for each, in double brackets.
    Tables(&'static Group),
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// Without it, this value holds, written as TOML.
    Or(&'static str),
    /// Without it, this is so, in words.
    Else(&'static str),
}

/// Which keys of a table go together.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// Each stands for itself.
    Free,
    /// One of these, and not two.
    OneOf(&'static [&'static str]),
    /// At least one of these.
    SomeOf(&'static [&'static str]),
    /// Both of these or neither.
    Together(&'static str, &'static str),
}

impl Group {
    /// All keys, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().copied().flatten()
    }

    /// Their names.
    pub(in super::super) fn names(&self) -> Vec<&'static str> {
        self.keys().map(|key| key.name).collect()
    }

    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

pub(super) const fn key(
    name: &'static str,
    kind: Kind,
    need: Need,
    example: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, kind, need, meaning, example }
}
