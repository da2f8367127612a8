//! `metrics_file`: the metrics in a file for node_exporter's textfile collector, written whole every
//! `budget::METRICS_MS` and moved into its place, so that nobody reads half of one. It is removed at the end: old numbers
//! must not stand as if they were now.

use super::{Post, clock, look};
use crate::budget;
use crate::metrics;
use crate::reason::Reason;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file, while it is kept.
pub struct MetricsFile {
    path: PathBuf,
    _writing: smol::Task<()>,
}

impl MetricsFile {
    /// Begins to write it.
    #[must_use]
    pub fn keep(path: PathBuf, executor: &smol::LocalExecutor<'static>, post: Post) -> Self {
        let writing = executor.spawn(write_on(path.clone(), post));
        Self { path, _writing: writing }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for MetricsFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn write_on(path: PathBuf, post: Post) {
    let mut failing = false;
    while let Some(seen) = look(&post, false).await {
        let written = replace(&path, &metrics::exposition(&seen.status));
        match (&written, failing) {
            (Ok(()), true) => log::info!("metrics: {} is written again", path.display()),
            // told once, tried again every time
            (Err(error), false) => {
                log::warn!("metrics: {}: {} cannot be written: {error}", Reason::HostPage, path.display())
            }
            (Ok(()), false) | (Err(_), true) => {}
        }
        failing = written.is_err();
        clock::sleep_until(clock::now().at.after_ms(budget::METRICS_MS)).await;
    }
}

/// The collector runs as somebody else: mode 0644, whatever the umask.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let _ = std::fs::remove_file(&beside);
    let mut options = std::fs::OpenOptions::new();
    let written = options.write(true).create_new(true).mode(0o644).open(&beside).and_then(|mut file| {
        rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o644))?;
        file.write_all(text.as_bytes())
    });
    let placed = written.and_then(|()| std::fs::rename(&beside, path));
    if placed.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    placed
}
