//! A disk as a value: what was written is in the page cache, what was synced outlives a power cut, and of the rest a power
//! cut keeps what it likes, sector by sector and name by name. A kill loses nothing that was written.

use guild_bridge::journal::{Failed, Files};
use std::collections::{BTreeMap, BTreeSet};

const SECTOR: usize = 512;

/// The state directory.
#[derive(Clone)]
pub struct Disk {
    /// No room for another byte.
    pub full: bool,
    /// Nothing can be created or written.
    pub read_only: bool,
    /// The directory cannot be reached.
    pub gone: bool,
    /// Operations so far that change something or ask for a sync.
    pub ops: u64,
    /// Syncs of files and of the directory so far.
    pub syncs: u64,
    /// Those that failed so far.
    pub failures: u64,
    failing_syncs: u32,
    failing_writes: u32,
    /// A bug: each how-manieth sync is told as done and writes nothing.
    pub lazy_syncs: Option<u64>,
    /// So many operations are done, perhaps half of one more, and then none.
    dies_after: Option<u64>,
    files: BTreeMap<u64, File>,
    next_file: u64,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    /// What happened to names since the directory was synced.
    moves: Vec<Move>,
    open: Option<u64>,
    rng: fastrand::Rng,
}

#[derive(Clone, Default)]
struct File {
    cached: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

#[derive(Clone)]
enum Move {
    Created(String, u64),
    Renamed(String, String, u64),
    Removed(String),
}

impl Disk {
    pub fn new(seed: u64) -> Self {
        Self {
            full: false,
            read_only: false,
            gone: false,
            ops: 0,
            syncs: 0,
            failures: 0,
            failing_syncs: 0,
            failing_writes: 0,
            lazy_syncs: None,
            dies_after: None,
            files: BTreeMap::new(),
            next_file: 0,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            moves: Vec::new(),
            open: None,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// The next syncs fail, and what they were asked to write is forgotten by the kernel: a later sync does not bring it.
    pub fn fails_sync(&mut self, times: u32) {
        self.failing_syncs = times;
    }

    /// The next writes fail, each after a part of it.
    pub fn fails_write(&mut self, times: u32) {
        self.failing_writes = times;
    }

    /// The process dies within the operation after so many more.
    pub fn dies_after(&mut self, ops: u64) {
        self.dies_after = Some(ops);
    }

    /// The process is over, and another may write.
    pub fn let_go(&mut self) {
        (self.dies_after, self.open) = (None, None);
    }

    /// The power goes: what was not synced is kept or lost as chance has it.
    pub fn power_cut(&mut self) {
        self.let_go();
        let in_order = self.rng.bool();
        let upto = self.rng.usize(..=self.moves.len());
        for (at, what) in std::mem::take(&mut self.moves).into_iter().enumerate() {
            if if in_order { at < upto } else { self.rng.bool() } {
                what.happen(&mut self.durable_names);
            }
        }
        self.names.clone_from(&self.durable_names);
        let linked: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|file, _| linked.contains(file));
        for file in self.files.values_mut() {
            file.lose_power(&mut self.rng);
        }
    }

    /// All that was wrong with it is right again.
    pub fn heal(&mut self) {
        (self.full, self.read_only, self.gone) = (false, false, false);
        (self.failing_syncs, self.failing_writes) = (0, 0);
    }

    /// Something is wrong with it.
    pub fn is_bad(&self) -> bool {
        self.full || self.read_only || self.gone || self.failing_syncs + self.failing_writes > 0
    }

    /// It is there: a daemon that starts without what it kept may begin anew, by contract.
    pub fn within_reach(&mut self) {
        self.gone = false;
    }

    /// Names of the files, as a process sees them.
    pub fn names(&self) -> Vec<&str> {
        self.names.keys().map(String::as_str).collect()
    }

    /// A file's bytes, as a process sees them.
    pub fn bytes(&self, name: &str) -> &[u8] {
        &self.files[&self.names[name]].cached
    }

    /// Bytes in all files that have not been set aside.
    pub fn len(&self) -> usize {
        self.names
            .iter()
            .filter(|(name, _)| !name.contains(".bad-"))
            .map(|(_, file)| self.files[file].cached.len())
            .sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Somebody else writes a file, and the disk keeps it.
    pub fn put(&mut self, name: &str, bytes: &[u8]) {
        self.next_file += 1;
        let (cached, durable) = (bytes.to_vec(), bytes.to_vec());
        self.files.insert(self.next_file, File { cached, durable, dirty: BTreeSet::new() });
        self.names.insert(name.into(), self.next_file);
        self.durable_names.insert(name.into(), self.next_file);
    }

    /// The file that was written last.
    pub fn last_name(&self) -> String {
        self.names().into_iter().rfind(|name| !name.contains(".bad-")).expect("a journal").to_owned()
    }

    /// Whether this operation is done; `Err`: the process is dead, or the disk does not do it.
    fn operate(&mut self, writes: bool) -> Result<(), Failed> {
        match &mut self.dies_after {
            Some(0) => return Err(Failed("the process is dead".into())),
            Some(left) => *left -= 1,
            None => {}
        }
        self.reach()?;
        self.ops += 1;
        if self.read_only && writes { Err(Failed("Read-only file system".into())) } else { Ok(()) }
    }

    fn reach(&self) -> Result<(), Failed> {
        if self.gone { Err(Failed("No such file or directory".into())) } else { Ok(()) }
    }

    fn opened(&mut self) -> Result<&mut File, Failed> {
        self.open.and_then(|open| self.files.get_mut(&open)).ok_or_else(|| Failed("no file is open".into()))
    }
}

impl Move {
    fn happen(self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Created(name, file) => drop(names.insert(name, file)),
            Self::Renamed(from, to, file) => {
                names.remove(&from);
                names.insert(to, file);
            }
            Self::Removed(name) => drop(names.remove(&name)),
        }
    }
}

impl File {
    fn append(&mut self, bytes: &[u8]) {
        let from = self.cached.len();
        self.cached.extend_from_slice(bytes);
        if !bytes.is_empty() {
            self.dirty.extend(from / SECTOR..=(self.cached.len() - 1) / SECTOR);
        }
    }

    /// Writes these sectors to where they outlive a power cut.
    fn write_back(&mut self, sectors: &BTreeSet<usize>, length: usize) {
        let mut durable = std::mem::take(&mut self.durable);
        durable.resize(length.max(durable.len()), 0);
        for sector in sectors {
            let (from, to) = (sector * SECTOR, ((sector + 1) * SECTOR).min(durable.len()).min(self.cached.len()));
            if from < to {
                durable[from..to].copy_from_slice(&self.cached[from..to]);
            }
        }
        self.durable = durable;
    }

    fn lose_power(&mut self, rng: &mut fastrand::Rng) {
        let (least, most) = (self.durable.len().min(self.cached.len()), self.cached.len());
        let length = [least, most, rng.usize(least..=most)][rng.usize(..3)];
        let all = rng.u8(..4);
        let kept = std::mem::take(&mut self.dirty).into_iter().filter(|_| all == 0 || rng.bool()).collect();
        self.write_back(&kept, length);
        self.durable.truncate(length);
        self.cached.clone_from(&self.durable);
    }
}

impl Files for Disk {
    fn ready(&mut self) -> Result<(), Failed> {
        self.reach()
    }

    fn list(&mut self) -> Result<Vec<String>, Failed> {
        self.reach()?;
        Ok(self.names.keys().cloned().collect())
    }

    fn read(&mut self, name: &str, max: usize) -> Result<Vec<u8>, Failed> {
        self.reach()?;
        let bytes = self.names.get(name).and_then(|file| self.files.get(file)).map(|file| file.cached.clone());
        bytes.filter(|bytes| bytes.len() <= max).ok_or_else(|| Failed(format!("{name} cannot be read")))
    }

    fn create(&mut self, name: &str) -> Result<(), Failed> {
        self.operate(true)?;
        self.next_file += 1;
        self.files.insert(self.next_file, File::default());
        self.names.insert(name.into(), self.next_file);
        self.moves.push(Move::Created(name.into(), self.next_file));
        self.open = Some(self.next_file);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        let alive = self.operate(true);
        let why = match &alive {
            Err(failed) => Some(failed.clone()),
            Ok(()) if self.full => Some(Failed("No space left on device".into())),
            Ok(()) if self.failing_writes > 0 => {
                self.failing_writes -= 1;
                self.failures += 1;
                Some(Failed("Input/output error".into()))
            }
            Ok(()) => None,
        };
        let part = if why.is_none() { bytes.len() } else { self.rng.usize(..=bytes.len()) };
        let dead_before = alive.is_err() && (self.gone || self.read_only);
        if !dead_before {
            self.opened()?.append(&bytes[..part]);
        }
        why.map_or(Ok(()), |why| {
            self.open = None;
            Err(why)
        })
    }

    fn sync(&mut self) -> Result<(), Failed> {
        self.operate(false)?;
        self.syncs += 1;
        let fails = self.failing_syncs > 0;
        let lazy = self.lazy_syncs.is_some_and(|n| self.syncs % n == 0);
        self.failing_syncs = self.failing_syncs.saturating_sub(1);
        self.failures += u64::from(fails);
        let mut rng = self.rng.clone();
        let file = self.opened()?;
        let length = file.cached.len();
        let written = std::mem::take(&mut file.dirty).into_iter().filter(|_| !lazy && (!fails || rng.bool())).collect();
        file.write_back(&written, length);
        self.rng = rng;
        if fails { Err(Failed("Input/output error".into())) } else { Ok(()) }
    }

    fn sync_directory(&mut self) -> Result<(), Failed> {
        self.operate(false)?;
        self.syncs += 1;
        for what in std::mem::take(&mut self.moves) {
            what.happen(&mut self.durable_names);
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), Failed> {
        self.operate(true)?;
        let file = self.names.remove(from).ok_or_else(|| Failed("No such file or directory".into()))?;
        self.names.insert(to.into(), file);
        self.moves.push(Move::Renamed(from.into(), to.into(), file));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), Failed> {
        self.operate(true)?;
        self.names.remove(name).ok_or_else(|| Failed("No such file or directory".into()))?;
        self.moves.push(Move::Removed(name.into()));
        Ok(())
    }
}
