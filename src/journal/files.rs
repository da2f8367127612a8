//! What the log asks of a disk: the world has one of real files, the tests one that loses power.

use std::fmt;

/// Why the disk did not do it, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The journal's files in one directory. One is open at a time: the one created last, whatever it is renamed to.
pub trait Files {
    /// Whether the directory is there and ours; one that is gone is made again. Asked before a failed disk is tried.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn ready(&mut self) -> Result<(), Failed>;

    /// Names of what is in the directory: at least those of a log and of what was set aside.
    ///
    /// # Errors
    /// As the disk says.
    fn list(&mut self) -> Result<Vec<String>, Failed>;

    /// A file's bytes; one of more than `max` is refused.
    ///
    /// # Errors
    /// As the disk says.
    fn read(&mut self, name: &str, max: usize) -> Result<Vec<u8>, Failed>;

    /// A new file, or an old one emptied, open from here on.
    ///
    /// # Errors
    /// As the disk says.
    fn create(&mut self, name: &str) -> Result<(), Failed>;

    /// Bytes at the end of the open file. After a failure any part of them may be there.
    ///
    /// # Errors
    /// As the disk says.
    fn append(&mut self, bytes: &[u8]) -> Result<(), Failed>;

    /// All that was appended to the open file outlives a power cut. After a failure nobody knows, and the same file is
    /// never asked again: a kernel forgets what it could not write.
    ///
    /// # Errors
    /// As the disk says.
    fn sync(&mut self) -> Result<(), Failed>;

    /// All that was created, renamed or removed outlives a power cut.
    ///
    /// # Errors
    /// As the disk says.
    fn sync_directory(&mut self) -> Result<(), Failed>;

    /// Renames, over a file of that name if there is one.
    ///
    /// # Errors
    /// As the disk says.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), Failed>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the disk says.
    fn remove(&mut self, name: &str) -> Result<(), Failed>;
}
