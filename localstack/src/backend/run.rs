//! The directory of one run: LocalStack's log, and its files while it runs.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Who hears what takes long; by default standard error.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(&str) + Send + Sync>);

impl Progress {
    /// `hear` is called with a line, without its end.
    pub fn new(hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(super) fn say(&self, line: &str) {
        (self.0)(line);
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new(|line| eprintln!("{line}"))
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

/// `$SPOT_RECOVERY_CACHE`, else `spot-recovery/localstack` where the system keeps a user's caches.
pub(super) fn cache() -> PathBuf {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let user = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
    match (env::var_os("SPOT_RECOVERY_CACHE"), user) {
        (Some(cache), _) => cache.into(),
        (None, Some(user)) => user.join("spot-recovery/localstack"),
        (None, None) => env::temp_dir().join("spot-recovery/localstack"),
    }
}

/// `{cache}/run-{process}-{number}`. Dropped, it is gone, unless it was told to keep the log or the thread panics.
#[derive(Debug)]
pub(super) struct Run {
    directory: PathBuf,
    progress: Progress,
    keep_log: bool,
}

impl Run {
    /// Makes it, and removes those of processes that ended without.
    pub(super) fn make(cache: &Path, progress: &Progress) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        fs::create_dir_all(cache)?;
        remove_orphans(cache);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = cache.join(format!("run-{}-{number}", process::id()));
        fs::create_dir_all(directory.join("files"))?;
        Ok(Self { directory, progress: progress.clone(), keep_log: false })
    }

    pub(super) fn log(&self) -> PathBuf {
        self.directory.join("localstack.log")
    }

    pub(super) fn create_log(&self) -> io::Result<File> {
        File::create(self.log())
    }

    /// Where LocalStack may write.
    pub(super) fn files(&self) -> PathBuf {
        self.directory.join("files")
    }

    pub(super) fn keep_log(&mut self) {
        self.keep_log = true;
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.keep_log || std::thread::panicking() {
            // Nobody is there to hear of a file that cannot be removed.
            let _ = fs::remove_dir_all(self.files());
            self.progress.say(&format!("LocalStack's log is kept: {}", self.log().display()));
        } else {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// The files of runs whose process ended without removing them; their logs stay for a day.
fn remove_orphans(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix("run-").and_then(|rest| rest.split('-').next()).and_then(|id| id.parse().ok());
        let Some(id) = process.and_then(rustix::process::Pid::from_raw) else { continue };
        if rustix::process::test_kill_process(id).is_ok() {
            continue;
        }
        let old = entry
            .metadata()
            .and_then(|data| data.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age.as_secs() > 24 * 60 * 60));
        let _ = if old { fs::remove_dir_all(entry.path()) } else { fs::remove_dir_all(entry.path().join("files")) };
    }
}
