//! The Docker daemon: whether it answers, how containers reach this host, and what a run that was killed left in it. Seven lines of
//! HTTP, so that a build without the feature `docker` can tell whether there is one.

use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
#[cfg(feature = "docker")]
use std::process;
use std::time::Duration;

use serde_json::Value;

use super::{Reach, StartError};

/// Every container of ours is `{PREFIX}{process}-{number}`, and those of its functions begin with that name.
#[cfg(feature = "docker")]
pub(super) const PREFIX: &str = "spot-recovery-localstack-";
/// A daemon that is up answers at once; one that removes a container needs a little longer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where a daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Daemon {
    Socket(PathBuf),
    Tcp(String),
}

impl Daemon {
    /// The one that `DOCKER_HOST` names, else the first socket that there is of those where Docker puts it.
    pub(super) fn find() -> Result<Self, StartError> {
        let known = match env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
            Some(host) => match (host.strip_prefix("unix://"), host.strip_prefix("tcp://")) {
                (Some(path), _) => vec![Self::Socket(path.into())],
                (None, Some(address)) => vec![Self::Tcp(address.trim_end_matches('/').to_owned())],
                (None, None) => {
                    let problem = "DOCKER_HOST must begin with unix:// or tcp://".to_owned();
                    return Err(StartError::NoDocker { host, problem });
                }
            },
            None => sockets(env::var_os("XDG_RUNTIME_DIR").as_deref().map(Path::new), env::home_dir().as_deref()),
        };
        let daemon = known.iter().find(|daemon| daemon.exists()).unwrap_or(&known[0]).clone();
        daemon.ping()?;
        Ok(daemon)
    }

    fn exists(&self) -> bool {
        matches!(self, Self::Socket(path) if path.exists())
    }

    fn ping(&self) -> Result<(), StartError> {
        let host = self.to_string();
        match self.request("GET", "/_ping") {
            Ok((200, _)) => Ok(()),
            Ok((status, body)) => Err(StartError::NoDocker { host, problem: format!("HTTP {status}: {body}") }),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(StartError::DockerPermission { host }),
            Err(error) => Err(StartError::NoDocker { host, problem: error.to_string() }),
        }
    }

    /// How a function in a container reaches a server of this process: at the gateway of the default network where that is an address
    /// of this host, else, where containers run in a virtual machine, by the name that such a Docker has for it.
    pub(super) fn reach(&self) -> Reach {
        let network = self.request("GET", "/networks/bridge").map(|(_, body)| body).unwrap_or_default();
        let gateway = gateway(&serde_json::from_str(&network).unwrap_or_default());
        match gateway.filter(|gateway| TcpListener::bind((*gateway, 0)).is_ok()) {
            Some(gateway) => Reach { listen: gateway, host: gateway.to_string() },
            None => Reach { listen: Ipv4Addr::LOCALHOST.into(), host: "host.docker.internal".to_owned() },
        }
    }

    /// The status and the body of the answer.
    fn request(&self, method: &str, path: &str) -> io::Result<(u16, String)> {
        match self {
            Self::Socket(socket) => {
                let stream = UnixStream::connect(socket)?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                exchange(stream, method, path)
            }
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                exchange(stream, method, path)
            }
        }
    }
}

#[cfg(feature = "docker")]
impl Daemon {
    /// Removes the containers whose names begin with `prefix` and that `which` of this process id says.
    pub(super) fn remove(&self, prefix: &str, which: impl Fn(i32) -> bool) {
        let list = self.request("GET", "/containers/json?all=1").map(|(_, body)| body).unwrap_or_default();
        let list: Value = serde_json::from_str(&list).unwrap_or_default();
        for container in list.as_array().into_iter().flatten() {
            let name = container["Names"][0].as_str().unwrap_or_default().trim_start_matches('/');
            let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse().ok());
            if name.starts_with(prefix) && process.is_some_and(&which) {
                // What is gone by now is gone.
                let _ = self.request("DELETE", &format!("/containers/{name}?force=1&v=1"));
            }
        }
    }

    /// Removes what processes left that ended without, killed for example.
    pub(super) fn remove_orphans(&self) {
        self.remove(PREFIX, |id| {
            id != process::id().cast_signed()
                && rustix::process::Pid::from_raw(id).is_none_or(|id| rustix::process::test_kill_process(id).is_err())
        });
    }
}

impl std::fmt::Display for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// The gateway of the network that is described so. A daemon that has just made it does not name it yet: it is the first address.
fn gateway(network: &Value) -> Option<IpAddr> {
    let config = &network["IPAM"]["Config"][0];
    if let Some(named) = config["Gateway"].as_str() {
        return named.parse().ok();
    }
    let (network, _) = config["Subnet"].as_str()?.split_once('/')?;
    let network: Ipv4Addr = network.parse().ok()?;
    Some(Ipv4Addr::from(u32::from(network) + 1).into())
}

/// In the order of preference that testcontainers has.
fn sockets(runtime: Option<&Path>, home: Option<&Path>) -> Vec<Daemon> {
    let mut paths = vec![PathBuf::from("/var/run/docker.sock")];
    paths.extend(runtime.map(|runtime| runtime.join("docker.sock")));
    paths.extend(home.map(|home| home.join(".docker/run/docker.sock")));
    paths.extend(home.map(|home| home.join(".docker/desktop/docker.sock")));
    paths.into_iter().map(Daemon::Socket).collect()
}

/// HTTP/1.0, so that the answer ends with the connection and has no chunks.
fn exchange(mut stream: impl Read + Write, method: &str, path: &str) -> io::Result<(u16, String)> {
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: docker\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_gateway_that_is_not_named_is_the_first_address() {
        for (config, address) in [
            (json!({"Subnet": "172.17.0.0/16", "Gateway": "172.17.42.1"}), Some("172.17.42.1")),
            (json!({"Subnet": "172.18.0.0/16"}), Some("172.18.0.1")),
            (json!({}), None),
        ] {
            let found = gateway(&json!({"IPAM": {"Config": [config]}}));
            assert_eq!(found.map(|address| address.to_string()).as_deref(), address);
        }
    }
}
