//! `metrics_file`: the metrics in a file for node_exporter's textfile collector, written whole every
//! `budget::METRICS_MS` and moved into its place, so that nobody reads half of one. It is removed at the end: old numbers
//! must not stand as if they were now.

use super::{Post, clock, look};
use crate::budget;
use crate::metrics;
use crate::reason::Reason;
use std::cell::RefCell;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The file, while it is kept.
pub struct MetricsFile {
    path: PathBuf,
    /// Why it could not be written last; empty where it could.
    fault: Rc<RefCell<String>>,
    _writing: smol::Task<()>,
}

impl MetricsFile {
    /// Begins to write it, empty at first: whether it can be written is known at once.
    #[must_use]
    pub fn keep(path: PathBuf, executor: &smol::LocalExecutor<'static>, post: Post) -> Self {
        let fault = Rc::<RefCell<String>>::default();
        note(&fault, &path, replace(&path, ""));
        let writing = executor.spawn(write_on(path.clone(), post, fault.clone()));
        Self { path, fault, _writing: writing }
    }

    /// Why it could not be written last; empty where it could.
    #[must_use]
    pub fn fault(&self) -> String {
        self.fault.borrow().clone()
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

async fn write_on(path: PathBuf, post: Post, fault: Rc<RefCell<String>>) {
    while let Some(seen) = look(&post, false).await {
        note(&fault, &path, replace(&path, &metrics::exposition(&seen.status)));
        clock::sleep_until(clock::now().at.after_ms(budget::METRICS_MS)).await;
    }
}

/// What came of a write: told once, tried again every time.
fn note(fault: &RefCell<String>, path: &Path, written: std::io::Result<()>) {
    let mut fault = fault.borrow_mut();
    match written {
        Ok(()) if !fault.is_empty() => {
            log::info!("metrics: {} is written again", path.display());
            fault.clear();
        }
        Ok(()) => {}
        Err(error) => {
            let said = !fault.is_empty();
            *fault = format!("{} cannot be written: {error}", path.display());
            if !said {
                log::warn!("metrics: {}: {fault}", Reason::HostPage);
            }
        }
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
