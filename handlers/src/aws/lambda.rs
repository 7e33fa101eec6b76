//! The start of a function's process: its settings from the environment, then invocations until Lambda ends it.

use std::ffi::OsString;
use std::process::ExitCode;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use lambda_runtime_api_client::{PooledClient, body::Body, build_request};

use super::config::{Config, ConfigError, sdk_config};
use super::invocation::Payload;
pub use super::invocation::{ANSWER, Function, Instance, InvocationError, WRAP_UP};
use super::limits::CallLimits;
use super::logs;

/// Where the Runtime API is; Lambda sets it.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// The function's version, which the runtime reads; Lambda sets it.
const VERSION: &str = "AWS_LAMBDA_FUNCTION_VERSION";
/// The function's memory, which the runtime reads; Lambda sets it.
const MEMORY_SIZE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// Runs `function` until Lambda ends the process. There is no shutdown to speak of: nothing is kept in memory that another
/// instance would miss, and Lambda ends an instance between invocations.
pub fn main(function: Function) -> ExitCode {
    logs::init();
    // One thread: Lambda gives a small function less than one processor.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ran = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(function)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "function ends");
            ExitCode::FAILURE
        }
    }
}

async fn run(function: Function) -> Result<(), lambda_runtime::Error> {
    if std::env::var_os(RUNTIME_API).is_none() {
        let remedy = "this program runs as an AWS Lambda function, or under an emulator of one";
        return Err(ConfigError::Missing { variable: RUNTIME_API, remedy }.into());
    }
    // What is no text must not pass for unset: it fails as a value that nobody allows.
    let text = |text: OsString| text.to_string_lossy().into_owned();
    let vars = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    let config = match check_runtime().and_then(|()| Config::from_env(vars)) {
        Ok(config) => config,
        Err(error) => {
            report_init_error(&error).await?;
            return Err(error.into());
        }
    };
    tracing::info!(?function, policy = %config.policy, table = config.cell.table, bus = config.cell.bus, "started");
    let sdk = sdk_config(&config.cell).await;
    let instance = Instance::new(function, config, &sdk, CallLimits::default());
    lambda_runtime::run(service_fn(|event: LambdaEvent<Payload>| instance.invoke_raw(event))).await
}

/// The runtime ends in a panic without these.
fn check_runtime() -> Result<(), ConfigError> {
    for variable in [VERSION, MEMORY_SIZE] {
        if std::env::var_os(variable).is_none_or(|value| value.is_empty()) {
            return Err(ConfigError::Missing { variable, remedy: "Lambda sets it; elsewhere set it yourself" });
        }
    }
    let value = std::env::var(MEMORY_SIZE).unwrap_or_default();
    match value.parse::<i32>() {
        Ok(_) => Ok(()),
        Err(problem) => {
            let (problem, allowed) = (problem.to_string(), "a number of MiB such as 128");
            Err(ConfigError::Value { variable: MEMORY_SIZE, value, problem, allowed })
        }
    }
}

/// Tells Lambda why the function cannot start, which it shows as the error of the invocation.
async fn report_init_error(error: &ConfigError) -> Result<(), lambda_runtime::Error> {
    const TYPE: &str = "Runtime.InvalidConfiguration";
    let diagnostic = Diagnostic { error_type: TYPE.into(), error_message: error.to_string() };
    let request = build_request()
        .method("POST")
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", TYPE)
        .body(Body::from(serde_json::to_vec(&diagnostic)?))?;
    PooledClient::builder().build().call(request).await?;
    Ok(())
}
