//! What a daemon holds while it works: measured now and then, the first quarter against the last.

use crate::guild::bridge::Vitals;
use guild_bridge::budget;

/// What may be more in the last quarter than in the first beside the windows, which fill to their bounds as messages come.
/// A leak of 64 bytes a handshake is more, in 5,000 handshakes too.
const HEAP_GROWTH_BYTES: u64 = 128 * 1024;
/// The same of what is resident: the allocator's pages move by more than what is in them, and the journal begins anew with
/// all own posts, packed (0.6 MB where every link has its 256).
const RSS_GROWTH_KB: u64 = 1_024;
/// A connection more or less at a moment is no leak; one left behind in each hundred handshakes would be fifty.
const FILES_GROWTH: u64 = 10;

/// What was measured after so many messages, each with its answer, over so many links.
pub struct Sample {
    pub vitals: Vitals,
    pub messages: usize,
    pub links: usize,
}

impl Sample {
    /// Heap beside the windows.
    fn heap_bytes(&self) -> u64 {
        self.vitals.heap_bytes.saturating_sub(self.windows_bytes())
    }

    /// Resident beside the windows.
    fn rss_kb(&self) -> u64 {
        self.vitals.rss_anon_kb.saturating_sub(self.windows_bytes() / 1024)
    }

    /// What all links remember: a hash of every id heard, 12 bytes in a window that doubles; the keys posted; the ids of
    /// own posts, in a queue that doubles. Each ends at its bound.
    fn windows_bytes(&self) -> u64 {
        let each = self.messages / self.links;
        let window = |ids: usize, bound: usize| 12 * ids.next_power_of_two().clamp(16, bound);
        let own = each.min(budget::OWN_POSTS);
        let own_posts = own.next_power_of_two() * size_of::<(String, u8)>() + own * "00012345".len();
        let link = window(2 * each, budget::DEDUPE_IDS) + window(each, budget::POSTED_KEYS) + own_posts;
        (self.links * link) as u64
    }
}

/// The first quarter of what was measured against the last. Of the heap the least counts: what is under way at a moment
/// only adds to it.
pub fn nothing_grew(samples: &[Sample]) {
    let quarter = samples.len() / 4;
    assert!(quarter >= 5, "{} samples", samples.len());
    let (first, last) = (&samples[..quarter], &samples[samples.len() - quarter..]);
    let least = |samples: &[Sample], of: fn(&Sample) -> u64| samples.iter().map(of).min().unwrap_or(0);
    let most = |samples: &[Sample], of: fn(&Sample) -> u64| samples.iter().map(of).max().unwrap_or(0);
    let (all_heap, all_rss) = (|s: &Sample| s.vitals.heap_bytes, |s: &Sample| s.vitals.rss_anon_kb);
    let (threads, files) = (|s: &Sample| s.vitals.threads, |s: &Sample| s.vitals.files);
    let told = |what: &str, unit: &str, of: fn(&Sample) -> u64, beside: fn(&Sample) -> u64| {
        let (first_all, last_all) = (least(first, of), least(last, of));
        let (first, last) = (least(first, beside), least(last, beside));
        println!("  {what} {first_all} / {last_all} {unit}, beside the windows {first} / {last} {unit}");
    };
    println!("  first quarter / last, {quarter} samples each, the least:");
    told("heap", "B", all_heap, Sample::heap_bytes);
    told("RssAnon", "kB", all_rss, Sample::rss_kb);
    println!(
        "  the most: threads {} / {}, files {} / {}",
        most(first, threads),
        most(last, threads),
        most(first, files),
        most(last, files),
    );
    let (heap, rss) = (Sample::heap_bytes, Sample::rss_kb);
    assert!(least(last, heap) <= least(first, heap) + HEAP_GROWTH_BYTES, "the heap grew");
    // a window that doubles leaves its former places behind, as many bytes as half of what it has now
    let left_kb = (least(last, Sample::windows_bytes) - least(first, Sample::windows_bytes)) / 2 / 1024;
    assert!(least(last, rss) <= least(first, rss) + RSS_GROWTH_KB + left_kb, "the process grew");
    assert!(most(last, threads) <= most(first, threads), "threads were left behind");
    assert!(most(last, files) <= most(first, files) + FILES_GROWTH, "files were left behind");
}
