//! STS: `AssumeRole` of the role in a workload account, and `GetCallerIdentity`.

use std::time::Duration;

use handlers::service::AccountId;

use super::answer::{Refusal, Request, Response, shortened};
use super::caller::{Caller, ROLE, role_of};
use super::endpoint::Endpoint;
use super::state::Session;
use crate::spec::Role;

/// `DurationSeconds`: from, to, and without being asked for.
const DURATION: (u64, u64, u64) = (900, 43_200, 3_600);

impl Endpoint<'_> {
    pub(super) fn answer_sts(&mut self, request: &Request, id: String) -> Response {
        let form: Vec<(String, String)> = form_urlencoded::parse(&request.body).into_owned().collect();
        let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let action = field("Action").unwrap_or_default();
        let result = self.caller(request).map_err(in_words_of_sts).and_then(|caller| match action {
            "AssumeRole" => self.assume_role(&caller, field),
            "GetCallerIdentity" => Ok(identity(&caller)),
            "" => {
                Err(Refusal::not_modelled("a request with neither the header X-Amz-Target nor the form field Action"))
            }
            _ => Err(Refusal::not_modelled(&format!("the STS operation {:?}", shortened(action)))),
        });
        let xmlns = "https://sts.amazonaws.com/doc/2011-06-15/";
        let (status, body) = match result {
            Ok(result) => {
                let metadata = format!("<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata>");
                let result = format!("<{action}Result>{result}</{action}Result>");
                (200, format!("<{action}Response xmlns=\"{xmlns}\">{result}{metadata}</{action}Response>"))
            }
            Err(Refusal { status, code, message }) => {
                let message = escaped(&message);
                let error =
                    format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
                let body =
                    format!("<ErrorResponse xmlns=\"{xmlns}\">{error}<RequestId>{id}</RequestId></ErrorResponse>");
                (status, body)
            }
        };
        let headers = vec![("content-type", "text/xml".to_owned()), ("x-amzn-requestid", id)];
        Response { status, headers, body: body.into_bytes() }
    }

    fn assume_role<'a>(&mut self, caller: &Caller, field: impl Fn(&str) -> Option<&'a str>) -> Result<String, Refusal> {
        let required = |name: &str| {
            field(name).filter(|value| !value.is_empty()).ok_or_else(|| {
                let what = name[..1].to_lowercase() + &name[1..];
                invalid(format!(
                    "1 validation error detected: Value null at '{what}' failed to satisfy constraint: Member must not be null"
                ))
            })
        };
        let (role, name) = (required("RoleArn")?, required("RoleSessionName")?);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        if !(2..=64).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(invalid(format!(
                "1 validation error detected: Value '{}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy \
                 regular expression pattern: [\\w+=,.@-]*",
                shortened(name)
            )));
        }
        let seconds = field("DurationSeconds").map_or(Some(DURATION.2), |text| text.parse().ok());
        let seconds = seconds
            .filter(|seconds| (DURATION.0..=DURATION.1).contains(seconds))
            .ok_or_else(|| invalid("The requested DurationSeconds is not within 900 to 43200 seconds.".to_owned()))?;
        let Some((account, path)) = parse_role(role, caller) else {
            return Err(invalid(format!("{} is invalid", shortened(role))));
        };
        // The role trusts the central account alone, and no role of another name is there.
        let trusted = caller.account == self.world.spec.central && path == ROLE;
        if !trusted || role_of(self.world, &account) == Role::Missing {
            let message =
                format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {role}", caller.arn());
            return Err(Refusal { status: 403, code: "AccessDenied", message });
        }
        self.state.sessions_made += 1;
        // 0 and 1 are no digits of base32, so that the key tells no account once the session is forgotten.
        let key = format!("ASIA{:016}", self.state.sessions_made);
        let expires = self.world.now + self.world.dial.takes(Duration::from_secs(seconds));
        let by_role =
            Caller { account: account.clone(), region: caller.region.clone(), session: Some(name.to_owned()) };
        let now = self.world.now;
        self.state.sessions.retain(|_, session| session.expires + Duration::from_secs(86_400) > now);
        self.state.sessions.insert(key.clone(), Session { account, name: name.to_owned(), expires });
        let expiration = self.world.dial.shown(expires);
        Ok(format!(
            "<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret-of-{key}</SecretAccessKey>\
             <SessionToken>token-of-{key}</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
             <AssumedRoleUser><AssumedRoleId>{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>",
            role_id(&by_role),
            escaped(&by_role.arn()),
        ))
    }
}

fn identity(caller: &Caller) -> String {
    let (arn, account) = (escaped(&caller.arn()), &caller.account);
    format!("<Arn>{arn}</Arn><UserId>{}</UserId><Account>{account}</Account>", role_id(caller))
}

/// `UserId`: of a session the role's id and the session's name, of an account its number.
fn role_id(caller: &Caller) -> String {
    match &caller.session {
        Some(session) => format!("AROA00000{}:{session}", caller.account),
        None => caller.account.to_string(),
    }
}

/// Account and name, with its path, of a role's ARN.
fn parse_role<'a>(arn: &'a str, caller: &Caller) -> Option<(AccountId, &'a str)> {
    let rest = arn.strip_prefix("arn:")?.strip_prefix(caller.region.partition())?.strip_prefix(":iam::")?;
    let (account, name) = rest.split_once(":role/")?;
    Some((account.parse().ok()?, name)).filter(|(_, name)| !name.is_empty())
}

fn invalid(message: String) -> Refusal {
    Refusal::new("ValidationError", message)
}

/// STS has its own codes for what is wrong with the credentials, and HTTP 403.
fn in_words_of_sts(refusal: Refusal) -> Refusal {
    let code = match refusal.code {
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "ExpiredTokenException" => "ExpiredToken",
        "IncompleteSignatureException" => "IncompleteSignature",
        _ => "SignatureDoesNotMatch",
    };
    Refusal { status: 403, code, message: refusal.message }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
