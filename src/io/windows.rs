//! Where the daemon can be looked at beside the control socket: the page and the metrics' file, as the configuration has
//! them. Neither is worth ending for: what cannot be had is said, and tried again at a reload.

use super::Post;
use super::metrics_file::MetricsFile;
#[cfg(feature = "page")]
use super::page::Page;
#[cfg(feature = "page")]
use crate::reason::Reason;
use crate::settings;
use smol::LocalExecutor;
use std::path::PathBuf;
use std::rc::Rc;

/// Both.
pub struct Windows {
    executor: Rc<LocalExecutor<'static>>,
    post: Post,
    #[cfg(feature = "page")]
    page: Option<Page>,
    /// As it was asked for last.
    asked: Option<settings::Page>,
    /// Why it is not there though it was asked for.
    closed: Option<String>,
    file: Option<MetricsFile>,
}

impl Windows {
    /// None is open.
    #[must_use]
    pub fn new(executor: Rc<LocalExecutor<'static>>, post: Post) -> Self {
        Self {
            executor,
            post,
            #[cfg(feature = "page")]
            page: None,
            asked: None,
            closed: None,
            file: None,
        }
    }

    /// Opens and closes what a configuration asks for; what is as it was stays open.
    pub fn open(&mut self, page: Option<settings::Page>, metrics_file: Option<PathBuf>) {
        if self.asked != page || self.closed.is_some() {
            self.closed = None;
            self.asked = page;
            self.open_page();
        }
        if self.file.as_ref().map(MetricsFile::path) != metrics_file.as_deref() {
            // the old one goes before the new one comes
            self.file = None;
            self.file = metrics_file.map(|path| MetricsFile::keep(path, &self.executor, self.post.clone()));
        }
    }

    #[cfg(feature = "page")]
    fn open_page(&mut self) {
        self.page = None;
        let Some(asked) = &self.asked else { return };
        match Page::open(asked, &self.executor, self.post.clone()) {
            Ok(page) => {
                log::info!("page: http://{}/", asked.listen);
                self.page = Some(page);
            }
            Err(what) => {
                log::error!("page: {}: {what}; `guild-bridge reload` tries again", Reason::HostPage);
                self.closed = Some(what);
            }
        }
    }

    /// The configuration refuses a page that this build does not have.
    #[cfg(not(feature = "page"))]
    fn open_page(&mut self) {}

    /// Where the page is; why it is not; why the metrics' file is not written: for status.
    #[must_use]
    pub fn seen(&self) -> (Option<String>, String, String) {
        let at = self.asked.as_ref().filter(|_| self.closed.is_none()).map(|page| format!("http://{}/", page.listen));
        let unwritten = self.file.as_ref().map(MetricsFile::fault).unwrap_or_default();
        (at, self.closed.clone().unwrap_or_default(), unwritten)
    }

    /// What is asked for and cannot be had, a line each.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let (_, closed, unwritten) = self.seen();
        let told = [("page: not served", closed), ("metrics: not written", unwritten)];
        told.into_iter().filter(|(_, why)| !why.is_empty()).map(|(what, why)| format!("{what}: {why}")).collect()
    }
}
