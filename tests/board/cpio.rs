//! An initial file system in the one format that every kernel reads (cpio "newc", initramfs-buffer-format of the kernel's own
//! documentation): folders, files and links, all of root's.

/// What is to be packed, in order.
#[derive(Default)]
pub struct Cpio {
    bytes: Vec<u8>,
    entries: u32,
}

impl Cpio {
    pub fn folder(&mut self, name: &str) {
        self.entry(name, 0o040_755, 2, b"");
    }

    pub fn file(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entry(name, 0o100_000 | mode, 1, content);
    }

    /// A symbolic link.
    pub fn link(&mut self, name: &str, to: &str) {
        self.entry(name, 0o120_777, 1, to.as_bytes());
    }

    /// The whole archive.
    pub fn pack(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, 1, b"");
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, links: u32, content: &[u8]) {
        self.entries += 1;
        let length = |n: usize| u32::try_from(n).expect("a file of a board is small");
        // inode, mode, user, group, links, time, size, device twice, what it stands for twice, length of the name, no sum
        let head = [self.entries, mode, 0, 0, links, 0, length(content.len()), 0, 0, 0, 0, length(name.len() + 1), 0];
        self.bytes.extend(b"070701");
        head.iter().for_each(|field| self.bytes.extend(format!("{field:08x}").bytes()));
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}
