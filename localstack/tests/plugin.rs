//! The part of LocalStack's plugin that runs a function's process: its own tests in Python, which need nothing but Python.

use std::process::Command;

use localstack::backend::{self, Progress};

#[test]
fn a_function_process_is_reported_as_lambda_reports_it() {
    // A Python that is there is enough; LocalStack's own is made in a minute.
    let here = Command::new("python3").args(["-c", "import sys; sys.exit(sys.version_info < (3, 11))"]).status();
    let python = match here {
        Ok(status) if status.success() => "python3".into(),
        _ => backend::host::python(&Progress::default()).expect("it can be made"),
    };
    let tests = Command::new(python)
        .args(["-m", "unittest", "tests.test_runtime"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/host"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("it was found");
    assert!(tests.status.success(), "{}", String::from_utf8_lossy(&tests.stderr));
}
