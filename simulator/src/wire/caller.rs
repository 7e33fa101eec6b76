//! Who calls, and what they may do.

use handlers::service::{AccountId, Region};

use super::answer::{Refusal, Request};
use super::endpoint::Endpoint;
use crate::spec::Role;
use crate::trace;
use crate::world::World;

/// The role in every workload account; it trusts the central account.
pub(super) const ROLE: &str = "CentralSpotAutomationRole";

/// What the role's policy allows in ECS.
const ALLOWED: [&str; 2] = ["DescribeServices", "UpdateService"];

/// Whoever signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) account: AccountId,
    pub(super) region: Region,
    /// Name of the session, if it came by assuming [`ROLE`].
    pub(super) session: Option<String>,
}

impl Caller {
    /// Whose hand an update is: the recovery comes through the role, everyone else is the account's owner.
    pub(super) fn hand(&self) -> trace::Caller {
        if self.session.is_some() { trace::Caller::Recovery } else { trace::Caller::Owner }
    }

    pub(super) fn arn(&self) -> String {
        let (partition, account) = (self.region.partition(), &self.account);
        match &self.session {
            Some(session) => format!("arn:{partition}:sts::{account}:assumed-role/{ROLE}/{session}"),
            None => format!("arn:{partition}:iam::{account}:root"),
        }
    }
}

impl Endpoint<'_> {
    /// Reads access key and region out of the credential scope of the `Authorization` header.
    pub(super) fn caller(&self, request: &Request) -> Result<Caller, Refusal> {
        let Some(authorization) = request.header("authorization") else {
            return Err(Refusal::new("MissingAuthenticationTokenException", "Missing Authentication Token"));
        };
        let scope = authorization.split_once("Credential=").map(|(_, rest)| rest);
        let mut scope = scope.unwrap_or_default().split([',', ' ']).next().unwrap_or_default().split('/');
        let (Some(key), Some(_date), Some(region)) = (scope.next(), scope.next(), scope.next()) else {
            let message = "Authorization header requires 'Credential' parameter.";
            return Err(Refusal::new("IncompleteSignatureException", message));
        };
        let Ok(region) = region.parse::<Region>() else {
            return Err(Refusal::new("InvalidSignatureException", "Credential should be scoped to a valid region."));
        };
        if let Some(session) = self.state.sessions.get(key) {
            if session.expires <= self.world.now {
                let message = "The security token included in the request is expired";
                return Err(Refusal::new("ExpiredTokenException", message));
            }
            let (account, name) = (session.account.clone(), session.name.clone());
            // A role that is gone takes its sessions with it.
            if role_of(self.world, &account) == Role::Missing {
                return Err(unknown_token());
            }
            return Ok(Caller { account, region, session: Some(name) });
        }
        let account = key.parse().ok().or_else(|| account_of_key(key)).ok_or_else(unknown_token)?;
        Ok(Caller { account, region, session: None })
    }

    /// What a session of the role may not do. The owner of an account may do everything in it.
    pub(super) fn authorize(&self, caller: &Caller, operation: &str) -> Result<(), Refusal> {
        let action = format!("ecs:{operation}");
        let refused = !ALLOWED.contains(&operation) || self.world.role_refuses(&caller.account, &action).is_some();
        if caller.session.is_none() || !refused {
            return Ok(());
        }
        let message = format!(
            "User: {} is not authorized to perform: {action} on resource: * because no identity-based policy allows the \
             {action} action",
            caller.arn()
        );
        Err(Refusal::new("AccessDeniedException", message))
    }
}

/// The state of the central role in an account.
pub(super) fn role_of(world: &World, account: &AccountId) -> Role {
    world.roles.get(account).copied().unwrap_or(Role::Present)
}

fn unknown_token() -> Refusal {
    Refusal::new("UnrecognizedClientException", "The security token included in the request is invalid.")
}

/// The account within an access key such as `AKIA…` or `ASIA…`: 40 bits of the base32 digits after the prefix, the first bit
/// apart (<https://medium.com/@TalBeerySec/a-short-note-on-aws-key-id-f88cc4317489>). LocalStack makes its keys alike.
fn account_of_key(key: &str) -> Option<AccountId> {
    let digits = key.get(4..13).filter(|_| key.len() >= 16)?.bytes();
    let bits = digits.map(|digit| match digit {
        b'A'..=b'Z' => Some(u64::from(digit - b'A')),
        b'2'..=b'7' => Some(u64::from(digit - b'2' + 26)),
        _ => None,
    });
    let bits = bits.into_iter().try_fold(0, |bits, digit| Some(bits << 5 | digit?))?;
    format!("{:012}", bits >> 4 & ((1 << 40) - 1)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This key was published with its account, where [`account_of_key`] says.
    #[test]
    fn an_access_key_tells_its_account() {
        let account = account_of_key("ASIAY34FZKBOKMUTVV7A").expect("base32");
        assert_eq!(account.as_str(), "609629065308");
    }

    #[test]
    fn a_key_without_an_account_tells_none() {
        for key in ["", "test", "AKIA", "AKIA0000000000000001", "ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ", "akiaqnzgkiqy56jq7wml"]
        {
            assert_eq!(account_of_key(key), None, "{key}");
        }
    }
}
