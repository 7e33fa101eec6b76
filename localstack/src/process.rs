//! Who holds the other end of a connection, and its end: how a function is killed while one of its calls is under way. Works where
//! LocalStack runs functions as processes of this machine, on Linux.

use std::fs;
use std::net::SocketAddr;

use rustix::process::{Pid, Signal, kill_process};

/// The process that connected from `peer`, an address on this machine; none if it is another machine's, or not visible.
pub fn owner_of(peer: SocketAddr) -> Option<u32> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = inode_of(&table, peer)?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut ids = processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
    ids.find(|id| {
        let descriptors = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        descriptors.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|link| link.as_os_str() == socket.as_str())
    })
}

/// The inode of the socket whose own address is `address`, from the text of `/proc/net/tcp` (proc(5)).
fn inode_of(table: &str, address: SocketAddr) -> Option<&str> {
    let SocketAddr::V4(address) = address else { return None };
    // The address is a number in the machine's byte order, the port one as people write it.
    let local = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find_map(|fields| (fields.get(1) == Some(&local.as_str())).then(|| fields.get(9).copied()).flatten())
}

/// SIGKILL.
///
/// # Errors
/// A sentence, when the process is not there or not ours.
pub fn kill(process: u32) -> Result<(), String> {
    let id = i32::try_from(process).ok().and_then(Pid::from_raw).ok_or_else(|| format!("{process} is no process"))?;
    kill_process(id, Signal::KILL).map_err(|error| format!("SIGKILL of process {process}: {error}"))
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
        let stream = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (_accepted, peer) = listener.accept().expect("somebody connects");
        assert_eq!(stream.local_addr().ok(), Some(peer));
        assert_eq!(owner_of(peer), Some(std::process::id()));
        drop(stream);
        assert_eq!(owner_of("127.0.0.1:1".parse().expect("an address")), None);
    }

    #[test]
    fn a_process_is_killed_by_sigkill() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().expect("coreutils are here");
        kill(child.id()).expect("it is ours");
        assert_eq!(child.wait().expect("it is ours").signal(), Some(9));
    }
}
