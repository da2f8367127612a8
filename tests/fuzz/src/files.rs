//! A state directory in memory, that fails when it is told to.

use guild_bridge::journal::{Failed, Files};
use std::collections::BTreeMap;

/// The files of a directory.
#[derive(Clone, Default)]
pub struct Memory {
    /// By their names.
    pub files: BTreeMap<String, Vec<u8>>,
    open: Option<String>,
    /// So many operations that change something are done, and then none is: the process is dead, or the disk is full.
    pub left: Option<u32>,
    /// Of the first operation that is not done so many bytes are.
    pub torn: usize,
}

impl Memory {
    fn operate(&mut self) -> Result<(), Failed> {
        match &mut self.left {
            None => Ok(()),
            Some(0) => Err(Failed("no space left on device".into())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl Files for Memory {
    fn ready(&mut self) -> Result<(), Failed> {
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<String>, Failed> {
        Ok(self.files.keys().cloned().collect())
    }

    fn read(&mut self, name: &str, max: usize) -> Result<Vec<u8>, Failed> {
        let bytes = self.files.get(name).ok_or_else(|| Failed("no such file".into()))?;
        if bytes.len() > max { Err(Failed("it is too large".into())) } else { Ok(bytes.clone()) }
    }

    fn create(&mut self, name: &str) -> Result<(), Failed> {
        self.operate()?;
        self.files.insert(name.into(), Vec::new());
        self.open = Some(name.into());
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        let done = self.operate();
        let written = if done.is_ok() { bytes.len() } else { std::mem::take(&mut self.torn).min(bytes.len()) };
        let name = self.open.as_deref().ok_or_else(|| Failed("nothing is open".into()))?;
        self.files.entry(name.into()).or_default().extend_from_slice(&bytes[..written]);
        done
    }

    fn sync(&mut self) -> Result<(), Failed> {
        self.operate()
    }

    fn sync_directory(&mut self) -> Result<(), Failed> {
        self.operate()
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), Failed> {
        self.operate()?;
        let bytes = self.files.remove(from).ok_or_else(|| Failed("no such file".into()))?;
        self.files.insert(to.into(), bytes);
        if self.open.as_deref() == Some(from) {
            self.open = Some(to.into());
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), Failed> {
        self.operate()?;
        self.files.remove(name).map(drop).ok_or_else(|| Failed("no such file".into()))
    }
}
