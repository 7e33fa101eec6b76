//! Who holds the other end of a connection, and its end: how a function is killed while one of its calls is under way. Works where
//! LocalStack runs functions as processes of this machine, on Linux.

use std::fs;
use std::net::SocketAddr;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

/// Why a process was not killed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KillError {
    /// No process can have this number.
    #[error("{0} is no process")]
    Number(u32),
    /// The system refuses: the process is not there, or not ours.
    #[error("SIGKILL of process {process}: {source}")]
    Signal {
        /// Which process.
        process: u32,
        /// What the system says.
        source: Errno,
    },
}

/// The process that connected from `peer`, an address on this machine, to `server`; none if it is another machine's, or not visible.
pub fn owner_of(peer: SocketAddr, server: SocketAddr) -> Option<u32> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = inode_of(&table, peer, server)?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut ids = processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
    ids.find(|id| {
        let descriptors = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        descriptors.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|link| link.as_os_str() == socket.as_str())
    })
}

/// The inode of the socket at `local` that is connected to `remote`, from the text of `/proc/net/tcp` (proc(5)). Both ends count: Linux gives
/// one local port to several connections at once, as long as they lead to different places.
fn inode_of(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<&str> {
    let ends = [as_in_table(local)?, as_in_table(remote)?];
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.find_map(|fields| (fields.get(1..3)? == ends).then(|| fields.get(9).copied()).flatten())
}

/// The address is a number in the machine's byte order, the port one as people write it.
fn as_in_table(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port()))
}

/// SIGKILL.
///
/// # Errors
/// [`KillError`] when the process is not there or not ours.
pub fn kill(process: u32) -> Result<(), KillError> {
    let id = i32::try_from(process).ok().and_then(Pid::from_raw).ok_or(KillError::Number(process))?;
    kill_process(id, Signal::KILL).map_err(|source| KillError::Signal { process, source })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_process_at_the_other_end_of_a_connection_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let server = listener.local_addr().expect("it is bound");
        let stream = TcpStream::connect(server).expect("it listens");
        let (_accepted, peer) = listener.accept().expect("somebody connects");
        assert_eq!(stream.local_addr().ok(), Some(peer));
        assert_eq!(owner_of(peer, server), Some(std::process::id()));
        assert_eq!(owner_of(peer, "127.0.0.1:1".parse().expect("an address")), None);
    }

    #[test]
    fn a_port_that_two_connections_share_is_that_of_the_one_to_the_server() {
        // Two processes at port 40000 at once: one is connected to 4566, the other to 4580.
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:9C40 0100007F:11D6 01 00000000:00000000 00:00000000 00000000     0        0 111 1 0 20 4 30 10 -1
   1: 0100007F:9C40 0100007F:11E4 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4 30 10 -1\n";
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert_eq!(inode_of(table, at(40000), at(4566)), Some("111"));
        assert_eq!(inode_of(table, at(40000), at(4580)), Some("222"));
        assert_eq!(inode_of(table, at(40000), at(4567)), None);
    }

    #[test]
    fn a_process_is_killed_by_sigkill() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().expect("coreutils are here");
        kill(child.id()).expect("it is ours");
        assert_eq!(child.wait().expect("it is ours").signal(), Some(9));
    }
}
