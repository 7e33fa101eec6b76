//! What can be wrong before LocalStack runs: one sentence with the remedy, exit code 2, nothing left behind. No network: what answers
//! is on loopback, and what is searched for is on a PATH of the test's own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lambda_local::http::{Nobody, Server, response};
use localstack::backend::{self, Choice, Settings};

/// A directory of the test's own.
fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(directory.join("bin")).expect("a directory of the target directory can be made");
    directory
}

fn script(file: &Path, text: &str) {
    fs::write(file, format!("#!/bin/sh\n{text}\n")).expect("the file can be written");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// The program in an environment without any Python but those of `directory`.
fn up(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_localstack-up"));
    let path = format!("{}:/usr/bin:/bin", directory.join("bin").display());
    command
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .env("HOME", directory)
        .env("SPOT_RECOVERY_CACHE", directory.join("cache"))
        .stdin(Stdio::null());
    command
}

/// Exit code 2 and a sentence with these words in it; returns it.
fn refused(output: &Output, words: &[&str]) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    let sentence =
        error.lines().find(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("no error: {error}"));
    for word in words {
        assert!(sentence.contains(word), "{word:?} is not in: {sentence}");
    }
    sentence.to_owned()
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    up(directory, arguments).output().expect("the program starts")
}

/// What a LocalStack at a URL is refused with.
fn refused_at(status: u16, body: &'static str) -> String {
    let server = Server::start(move |_| response(status, "application/json", body)).expect("loopback has a port");
    let choice = Choice::Url(format!("http://{}", server.address()));
    backend::start(choice, Settings::default()).expect_err("it is not the LocalStack that we want").to_string()
}

/// A Python 3.13 whose pip succeeds at once, and whose LocalStack is the shell script `localstack`.
fn fake_python(directory: &Path, localstack: &str) {
    script(&directory.join("localstack"), localstack);
    let make = format!("mkdir -p \"$3/bin\"; cp {} \"$3/bin/python\"", directory.join("localstack").display());
    let python = format!("case \"$2\" in *version_info*) echo 3.13.0;; *) {make};; esac");
    script(&directory.join("bin/python3.13"), &python);
}

/// Directories of the cache whose names begin so.
fn directories(cache: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache).expect("the cache was made").flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    entries.filter(|path| path.is_dir() && named(path)).collect()
}

#[test]
fn a_way_that_is_none_is_named_with_those_that_are() {
    let directory = directory("choice");
    refused(&run(&directory, &["--localstack", "podman"]), &["\"podman\"", "docker, host, auto", "http:// URL"]);
    refused(&run(&directory, &["--port", "99999"]), &["\"99999\" is not a port", "1 to 65535"]);
}

#[test]
fn without_a_python_the_sentence_says_which_is_needed_and_what_there_is() {
    let directory = directory("no-python");
    // Whatever this machine has in /usr/bin is hidden by one that is too old, or named in the sentence beside it.
    script(&directory.join("bin/python3"), "echo 3.11.2");
    let mut command = up(&directory, &["--localstack", "host"]);
    let output = command.env("PATH", directory.join("bin")).output().expect("the program starts");
    refused(&output, &["Python 3.13 or newer", "(found 3.11.2)", "pyenv install 3.13", "--localstack docker"]);
}

#[test]
fn without_a_package_index_the_sentence_says_so_and_no_half_made_environment_stays() {
    let directory = directory("no-index");
    let words = "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError'\n\
                 ERROR: Could not find a version that satisfies the requirement localstack-core[runtime]==4.14.0\n\
                 ERROR: No matching distribution found for localstack-core[runtime]==4.14.0";
    let make = format!("mkdir -p \"$3/bin\"; echo \"{words}\" >&2; exit 1");
    let python = format!("case \"$2\" in *version_info*) echo 3.13.0;; *) {make};; esac");
    script(&directory.join("bin/python3.13"), &python);
    let output = run(&directory, &["--localstack", "host"]);
    refused(&output, &["No matching distribution found for localstack-core", "PIP_INDEX_URL", "needs PyPI"]);
    assert_eq!(directories(&directory.join("cache"), "python-"), Vec::<PathBuf>::new());
}

#[test]
fn a_port_that_is_taken_is_named_before_anything_is_made() {
    let directory = directory("port");
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    refused(
        &run(&directory, &["--localstack", "host", "--port", &port]),
        &[&port, "is taken", "stop what listens there"],
    );
    assert!(!directory.join("cache").exists());
}

#[test]
fn a_release_that_wants_an_account_is_told_apart_from_one_that_fails() {
    let directory = directory("token");
    fake_python(&directory, "echo 'License activation failed! No credentials: set LOCALSTACK_AUTH_TOKEN'; exit 55");
    let output = run(&directory, &["--localstack", "host"]);
    refused(&output, &["does not start without LOCALSTACK_AUTH_TOKEN", "localstack/localstack:4.14.0"]);
    assert_eq!(directories(&directory.join("cache"), "run-"), Vec::<PathBuf>::new());
}

#[test]
fn one_that_ends_while_it_starts_leaves_its_log_and_says_where() {
    let directory = directory("ends");
    fake_python(&directory, "echo 'ERROR: The LocalStack Runtime could not be initialized: no such plugin'; exit 1");
    let sentence = refused(&run(&directory, &["--localstack", "host"]), &["ended while it started", "no such plugin"]);
    let log = sentence.rsplit("its log is ").next().expect("a path");
    assert!(fs::read_to_string(log).expect("the log is kept").contains("no such plugin"), "{log}");
}

#[test]
fn what_answers_at_a_url_must_be_this_localstack() {
    let version = refused_at(200, r#"{"version": "2026.3.0", "edition": "pro"}"#);
    assert!(version.contains("is version 2026.3.0, and this needs 4.14.0"), "{version}");
    let other = refused_at(404, "not found");
    assert!(other.contains("is not LocalStack") && other.contains("--localstack host"), "{other}");
    let token = refused_at(403, "License activation failed: set LOCALSTACK_AUTH_TOKEN");
    assert!(token.contains("does not start without LOCALSTACK_AUTH_TOKEN"), "{token}");
}

#[test]
fn a_url_where_nothing_answers_is_said_at_once() {
    let nobody = Nobody::new().expect("loopback has a port");
    let problem =
        backend::start(Choice::Url(nobody.endpoint().into()), Settings::default()).expect_err("nothing is there");
    assert!(problem.to_string().contains("nothing answers at http://127.0.0.1"), "{problem}");
}

#[test]
fn docker_without_a_daemon_is_said_with_where_it_was_looked_for() {
    let directory = directory("no-docker");
    let mut command = up(&directory, &["--localstack", "docker"]);
    let output = command.env("DOCKER_HOST", "unix:///nowhere/docker.sock").output().expect("the program starts");
    refused(&output, &["no Docker daemon answers at unix:///nowhere/docker.sock", "--localstack host"]);
}

#[test]
fn docker_without_permission_says_which_group_is_missing() {
    // Not in the target directory, which another user need not be able to read.
    let directory = std::env::temp_dir().join(format!("localstack-docker-permission-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("the temporary directory is everybody's");
    let (program, socket) = (directory.join("up"), directory.join("docker.sock"));
    fs::copy(env!("CARGO_BIN_EXE_localstack-up"), &program).expect("the program can be copied");
    let _daemon = UnixListener::bind(&socket).expect("a socket can be made");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o000)).expect("it is ours");
    let mut command = Command::new(program);
    command.args(["--localstack", "docker"]).env_clear().env("DOCKER_HOST", format!("unix://{}", socket.display()));
    if rustix::process::geteuid().is_root() {
        // Root may talk to any socket.
        command.uid(65534).gid(65534);
    }
    let output = command.output();
    fs::remove_dir_all(&directory).expect("it is ours");
    refused(
        &output.expect("the program starts"),
        &["may not talk to Docker at unix://", "group docker", "--localstack host"],
    );
}
