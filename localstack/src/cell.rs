//! Deploys a cell on LocalStack: the stack of the CDK app as it synthesizes it, by the command a person types, and onboards its
//! accounts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use futures_util::future::join_all;
use handlers::policy::Policy;
use handlers::service::{AccountId, Region};
use serde_json::json;
use tokio::process::Command;

use crate::clients::CallError;
use crate::onboarding::onboard;
use crate::pace::tunables;

/// The stack's name without its prefix.
const CELL: &str = "e2e";
/// Lambda's name for this machine's processor: functions run on it.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
/// Bucket and version that `cdk deploy` asks for.
const BOOTSTRAP: &str = include_str!("../bootstrap.yaml");

/// A cell as it is to be.
#[derive(Debug)]
pub struct Plan<'a> {
    /// LocalStack.
    pub endpoint: &'a str,
    /// Where the cell is.
    pub region: &'a Region,
    /// The account that it is deployed in.
    pub central: &'a AccountId,
    /// Accounts that take part.
    pub accounts: &'a [AccountId],
    /// Those of them that are not onboarded with the others.
    pub onboarded_later: &'a [AccountId],
    /// Accounts whose synthetic events are accepted.
    pub synthetic_from: &'a [AccountId],
    /// Its policy, in the world's time.
    pub policy: &'a Policy,
    /// Seconds of the world in one of the clock.
    pub speed: u32,
    /// Where `cargo xtask package` put the zips.
    pub zips: &'a Path,
    /// For the configuration and what the CDK writes.
    pub directory: &'a Path,
}

/// Why there is no cell.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// No Node.js.
    #[error(
        "the CDK app needs Node.js 20 or newer, and `{program}` cannot be started: {source}; install it from https://nodejs.org"
    )]
    NoNode {
        /// What was to be started.
        program: String,
        /// Why it cannot be.
        source: io::Error,
    },
    /// A command of npm or the CDK failed.
    #[error("{command} failed with {status}:\n{output}")]
    Command {
        /// As it could be typed.
        command: String,
        /// Its exit status.
        status: String,
        /// Its last words.
        output: String,
    },
    /// A file of ours.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// LocalStack refused a call.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// The CDK app.
pub fn app() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("cdk")
}

/// Installs what the CDK app needs, as its lock file says, unless that is there. `tell` is told what takes long.
///
/// # Errors
/// [`DeployError`].
pub async fn install(tell: impl Fn(&str)) -> Result<(), DeployError> {
    let lock = fs::read(app().join("package-lock.json"))
        .map_err(|source| DeployError::Io { what: "reading cdk/package-lock.json".into(), source })?;
    // As `cargo xtask` leaves it.
    let installed = app().join("node_modules/.installed-lock.json");
    if fs::read(&installed).is_ok_and(|of| of == lock) {
        return Ok(());
    }
    tell("installing the CDK from npm, once");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(app());
    run(npm, "npm ci").await?;
    let written = fs::write(&installed, lock);
    written.map_err(|source| DeployError::Io { what: format!("writing {}", installed.display()), source })
}

impl Plan<'_> {
    /// Deploys the cell, and onboards its accounts.
    ///
    /// # Errors
    /// [`DeployError`].
    pub async fn deploy(&self) -> Result<(), DeployError> {
        let cells = json!({ "cells": [{
            "name": CELL,
            "region": self.region,
            "account": self.central,
            "environment": "dev",
            "accounts": self.accounts,
            "syntheticFrom": self.synthetic_from,
            "architecture": ARCHITECTURE,
            "policy": tunables(self.policy, self.speed),
            // No more, or a journey would wait a quarter of an hour for a DLQ.
            "maxReceiveCount": 5,
        }] });
        let file = |name: &str| self.directory.join(name);
        let write = |name: &str, text: &str| {
            fs::write(file(name), text).map_err(|source| DeployError::Io { what: format!("writing {name}"), source })
        };
        write("cells.json", &cells.to_string())?;
        write("bootstrap.yaml", BOOTSTRAP)?;
        // Where no cdk.json is, or the app would be synthesized for it as well.
        let environment = format!("aws://{}/{}", self.central, self.region);
        let mut bootstrap = self.cdk(self.directory);
        bootstrap.args(["bootstrap", &environment, "--template"]).arg(file("bootstrap.yaml"));
        let mut deploy = self.cdk(&app());
        deploy.args(["deploy", "--require-approval", "never", "--context"]);
        deploy.arg(pair("cells=", &file("cells.json"))).arg("--context").arg(pair("zips=", self.zips));
        deploy.args(["--context", &format!("cell={CELL}"), "--output"]).arg(file("cdk.out"));
        run(bootstrap, "cdk bootstrap").await?;
        run(deploy, "cdk deploy").await?;
        let now = self.accounts.iter().filter(|account| !self.onboarded_later.contains(account));
        let onboarded = join_all(now.map(|account| onboard(self.endpoint, self.region, self.central, account))).await;
        Ok(onboarded.into_iter().collect::<Result<(), _>>()?)
    }

    fn cdk(&self, directory: &Path) -> Command {
        let mut cdk = Command::new(app().join("node_modules/.bin/cdk"));
        cdk.args(["--no-notices", "--no-version-reporting"]).current_dir(directory);
        cdk.env("AWS_ENDPOINT_URL", self.endpoint).env("AWS_REGION", self.region.as_str());
        // LocalStack reads the account off the key.
        cdk.env("AWS_ACCESS_KEY_ID", self.central.as_str()).env("AWS_SECRET_ACCESS_KEY", "any");
        cdk.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN").env("AWS_EC2_METADATA_DISABLED", "true");
        cdk.env("CI", "1");
        cdk
    }
}

fn pair(name: &str, value: &Path) -> std::ffi::OsString {
    let mut pair = std::ffi::OsString::from(name);
    pair.push(value);
    pair
}

/// Runs a command to its end; what it prints is shown only when it fails. It ends with us.
async fn run(mut command: Command, name: &str) -> Result<Output, DeployError> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command.output().await.map_err(|source| DeployError::NoNode { program, source })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    let last: Vec<&str> = said.lines().collect();
    let last = last[last.len().saturating_sub(30)..].join("\n");
    Err(DeployError::Command { command: name.to_owned(), status: output.status.to_string(), output: last })
}
