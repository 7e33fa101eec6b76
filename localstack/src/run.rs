//! A run: LocalStack with a cell in it, a world beside it, and all that goes on between them until the run ends.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use handlers::policy::ENV_PREFIX;
use handlers::service::{AccountId, Region};
use simulator::facts::Facts;
use simulator::spec::WorldSpec;
use tokio::net::TcpListener;

use crate::backend::{Choice, LocalStack, Settings, StartError, start};
use crate::cell::{self, DeployError, Plan};
use crate::clients::{CallError, Clients, config};
use crate::functions::{HANDLERS, configure, listen, overhear, sweep_every};
use crate::pace::{LEASE, TIMEOUT};
use crate::world::{World, WorldError};

/// Shortest time between two sweeps, whatever the speed: each is a process's work of about a tenth of it.
const SHORTEST_SCHEDULE: Duration = Duration::from_millis(800);

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which LocalStack.
    pub localstack: Choice,
    /// Where `cargo xtask package` put the zips.
    pub zips: PathBuf,
    /// Seconds of the world in one of the clock.
    pub speed: u32,
    /// Accounts that are not onboarded with the others.
    pub onboarded_later: Vec<AccountId>,
}

/// Why there is no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No LocalStack.
    #[error(transparent)]
    Start(#[from] StartError),
    /// No cell in it.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// LocalStack refused a call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// No world beside it.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The directory of `--zips` has no absolute path.
    #[error("--zips: {0}")]
    Zips(#[source] io::Error),
    /// The asynchronous runtime does not start.
    #[error(transparent)]
    Runtime(io::Error),
    /// Ctrl-C, or a signal to end.
    #[error("stopped")]
    Stopped,
}

/// The cell and the world, running.
#[derive(Debug)]
pub struct Running {
    /// The world.
    pub world: Rc<World>,
    /// The central account's clients.
    pub clients: Clients,
    /// LocalStack.
    pub endpoint: String,
    /// The cell's region.
    pub region: Region,
    /// The central account.
    pub central: AccountId,
    /// Audit events wait there.
    audit_queue: String,
    /// Between two sweeps.
    schedule: Duration,
}

/// Starts LocalStack. Blocks; not to be called where other things go on.
///
/// # Errors
/// [`StartError`].
pub fn start_localstack(wanted: &Wanted) -> Result<LocalStack, StartError> {
    start(wanted.localstack.clone(), Settings::default())
}

impl Running {
    /// Deploys a cell for the world of `spec`, and serves that world beside it. The world begins when all else is there.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn begin(
        localstack: &LocalStack,
        wanted: &Wanted,
        spec: WorldSpec,
        facts: Facts,
        tell: impl Fn(&str),
    ) -> Result<Self, RunError> {
        let WorldSpec { region, central, .. } = spec.clone();
        let endpoint = localstack.endpoint.clone();
        let reach = wanted.localstack.clone().settle().reach();
        let listener = TcpListener::bind((reach.listen, 0)).await.map_err(WorldError::from)?;
        let address = listener.local_addr().map_err(WorldError::from)?;
        cell::install(&tell).await?;
        tell("deploying the cell");
        let directory = Scratch::new()?;
        let plan = Plan {
            endpoint: &endpoint,
            region: &region,
            central: &central,
            accounts: &spec.accounts,
            onboarded_later: &wanted.onboarded_later,
            synthetic_from: &spec.synthetic_from,
            policy: &spec.policy,
            speed: wanted.speed,
            zips: &wanted.zips,
            directory: &directory.0,
        };
        plan.deploy().await?;
        let clients = Clients::new(&config(&endpoint, &region, &central).await);
        // Where the world is: the one thing that the functions of a cell on AWS are not told.
        let url = reach.url(address);
        let variables = ["ECS", "STS"].map(|service| (format!("AWS_ENDPOINT_URL_{service}"), url.clone()));
        let mut variables = BTreeMap::from(variables);
        variables.insert(format!("{ENV_PREFIX}LEASE"), format!("{}s", LEASE.as_secs()));
        for function in HANDLERS {
            configure(&clients, function, &variables, TIMEOUT).await?;
        }
        let audit_queue = overhear(&clients).await?;
        let schedule = (spec.restore_schedule / wanted.speed).max(SHORTEST_SCHEDULE);
        let world = World::start(spec, facts, wanted.speed, &endpoint, listener).await?;
        Ok(Self { world, clients, endpoint, region, central, audit_queue, schedule })
    }

    /// Does `work` while the schedule runs and the world hears what the functions announce.
    ///
    /// # Errors
    /// [`RunError`] when either breaks down, or the process is told to stop.
    pub async fn while_it_runs<T>(&self, work: impl Future<Output = T>) -> Result<T, RunError> {
        let sweeps = Box::pin(sweep_every(&self.clients, self.schedule));
        let hears = Box::pin(listen(&self.clients, &self.audit_queue, &self.world));
        let breaks = select(sweeps, hears);
        let stops = Box::pin(stopped());
        match select(select(Box::pin(work), breaks), stops).await {
            Either::Left((Either::Left((done, _)), _)) => Ok(done),
            Either::Left((Either::Right((Either::Left((error, _)) | Either::Right((error, _)), _)), _)) => {
                Err(error.into())
            }
            Either::Right(_) => Err(RunError::Stopped),
        }
    }
}

/// Ends when the process is told to stop.
pub async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    select(Box::pin(interrupt.recv()), Box::pin(terminate.recv())).await;
}

/// A directory that is gone when this is.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, DeployError> {
        let directory = std::env::temp_dir().join(format!("spot-recovery-cell-{}", std::process::id()));
        let what = format!("making {}", directory.display());
        fs::create_dir_all(&directory).map_err(|source| DeployError::Io { what, source })?;
        Ok(Self(directory))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean up.
        let _ = fs::remove_dir_all(&self.0);
    }
}
