//! Onboards a workload account as people do: by the stack of `cdk/onboarding.yaml`.
//!
//! CloudFormation is called by hand. Its SDK takes a minute to build, for a form that LocalStack takes without a signature.

use std::time::Duration;

use handlers::service::{AccountId, Region};

use crate::clients::CallError;

const TEMPLATE: &str = include_str!("../../cdk/onboarding.yaml");
const STACK: &str = "spot-recovery-onboarding";
/// One answer, and the whole stack.
const ANSWER: Duration = Duration::from_secs(30);
const PATIENCE: u32 = 240;
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Deploys the onboarding template in `account`, for the cell of `central`.
///
/// # Errors
/// [`CallError`], also when the stack is not complete within a minute.
pub async fn onboard(
    endpoint: &str,
    region: &Region,
    central: &AccountId,
    account: &AccountId,
) -> Result<(), CallError> {
    let caller = Caller { endpoint: endpoint.to_owned(), region: region.clone(), account: account.clone() };
    let create = [
        ("Action", "CreateStack"),
        ("StackName", STACK),
        ("TemplateBody", TEMPLATE),
        ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ("Parameters.member.1.ParameterKey", "CentralAccountId"),
        ("Parameters.member.1.ParameterValue", central.as_str()),
    ];
    caller.call(&create).await?;
    let mut status = String::new();
    for _ in 0..PATIENCE {
        let described = caller.call(&[("Action", "DescribeStacks"), ("StackName", STACK)]).await?;
        status = between(&described, "<StackStatus>", "</StackStatus>").to_owned();
        match status.as_str() {
            "CREATE_COMPLETE" => return Ok(()),
            "CREATE_IN_PROGRESS" => tokio::time::sleep(LOOK_AGAIN).await,
            _ => break,
        }
    }
    Err(CallError { what: format!("stack {STACK} of {account}"), said: format!("its status is {status:?}") })
}

#[derive(Debug, Clone)]
struct Caller {
    endpoint: String,
    region: Region,
    account: AccountId,
}

impl Caller {
    /// An answer of HTTP 200.
    async fn call(&self, form: &[(&str, &str)]) -> Result<String, CallError> {
        let what = format!("{} of stack {STACK} of {}", form[0].1, self.account);
        let caller = self.clone();
        let mut fields = vec![("Version".to_owned(), "2010-05-15".to_owned())];
        fields.extend(form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        // Not on the thread that serves the world.
        let answer = tokio::task::spawn_blocking(move || caller.send(fields)).await;
        let failed = |said: String| CallError { what: what.clone(), said };
        let (status, body) =
            answer.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
        if status == 200 { Ok(body) } else { Err(failed(format!("HTTP {status}: {body}"))) }
    }

    fn send(&self, form: Vec<(String, String)>) -> Result<(u16, String), ureq::Error> {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(ANSWER));
        let scope = format!("{}/20260101/{}/cloudformation/aws4_request", self.account, self.region);
        let signature = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none");
        let request = ureq::Agent::new_with_config(agent.build()).post(&self.endpoint);
        let mut answer = request.header("Authorization", signature).send_form(form)?;
        Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
    }
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text.split_once(begin).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or("", |(inner, _)| inner)
}
