//! The dice of a world that is drawn, with what was drawn before.

use handlers::policy::Policy;
use handlers::service::{AccountId, ServiceId};
use simulator::dice::Dice;
use simulator::spec::ServiceSpec;

/// The account that runs the recovery.
pub(super) const CENTRAL: &str = "999999999999";

/// The dice, and what events may be about.
pub(super) struct Draw {
    pub(super) dice: Dice,
    /// What is off, by name.
    pub(super) without: Vec<String>,
    pub(super) policy: Policy,
    pub(super) accounts: Vec<AccountId>,
    pub(super) services: Vec<ServiceSpec>,
}

impl Draw {
    /// A whole number, both ends included.
    pub(super) fn from(&mut self, least: u32, most: u32) -> u32 {
        least + self.dice.below(u64::from(most - least) + 1) as u32
    }

    pub(super) fn is_on(&mut self, name: &str, percent: u32) -> bool {
        self.dice.chance(percent) && !self.without.iter().any(|off| off == name)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.dice.below(2) == 1
    }

    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.dice.below(of.len() as u64) as usize]
    }

    pub(super) fn account(&mut self) -> Vec<AccountId> {
        let n = self.dice.below(self.accounts.len() as u64) as usize;
        vec![self.accounts[n].clone()]
    }

    pub(super) fn service(&mut self) -> ServiceId {
        let n = self.dice.below(self.services.len() as u64) as usize;
        self.services[n].id.clone()
    }
}
