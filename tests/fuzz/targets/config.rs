//! The configuration: every fault has its place within the file, and what is accepted is accepted again without comments.
#![no_main]

use guild_bridge::budget;
use guild_bridge::config::{Remark, jsonc, load};
use guild_bridge_fuzz::within;
use libfuzzer_sys::fuzz_target;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

fuzz_target!(|bytes: &[u8]| {
    if bytes.len() > budget::CONFIG_BYTES {
        return;
    }
    within(512 * 1024 + 128 * bytes.len(), || {
        if let Ok(text) = std::str::from_utf8(bytes) {
            parsed(text);
        }
        loaded(bytes);
    });
});

fn parsed(text: &str) {
    match jsonc::parse(text) {
        Ok(root) => {
            assert!(root.at <= text.len());
            let mut plain = String::new();
            root.value.write(&mut plain);
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(&plain).is_ok(), "{plain}");
            let mut again = String::new();
            jsonc::parse(&plain).expect("what was written is read").value.write(&mut again);
            assert_eq!(again, plain);
        }
        Err(broken) => {
            assert!(text.is_char_boundary(broken.at.min(text.len())) || broken.at <= text.len(), "{broken:?}");
            let plain = serde_json::from_str::<serde::de::IgnoredAny>(text);
            // it takes more than JSON has, never less but for what has a bound; half a surrogate pair is no text
            let bounded = ["deeper", "too large"].iter().any(|bound| broken.what.contains(bound));
            assert!(plain.is_err() || bounded || text.contains("\\u"), "{broken:?} in {text:?}");
        }
    }
}

fn loaded(bytes: &[u8]) {
    let path = folder().join("config.json");
    std::fs::write(&path, bytes).expect("a file can be written");
    let first = load(&path, None);
    let remarks: Vec<&Remark> = match &first {
        Ok(loaded) => loaded.keys.iter().chain(&loaded.warnings).collect(),
        Err(faults) => {
            assert!(!faults.is_empty() && faults.len() <= 2 * budget::CONFIG_FAULTS + 1, "{} faults", faults.len());
            faults.iter().collect()
        }
    };
    let text = String::from_utf8_lossy(bytes);
    for remark in remarks {
        within_the_file(remark, &text);
    }
    let Ok(loaded) = first else { return };
    assert!(loaded.settings.guilds.len() <= 256 && loaded.settings.agents.len() <= budget::AGENTS);
    let text = std::str::from_utf8(bytes).expect("what is good is UTF-8");
    let root = jsonc::parse(text.strip_prefix('\u{feff}').unwrap_or(text)).expect("what is good is read");
    let mut plain = String::new();
    root.value.write(&mut plain);
    std::fs::write(&path, plain).expect("a file can be written");
    let mut again = load(&path, None).expect("what is good is good without its comments");
    // the file's own length counts in the heap's budget
    again.settings.config_bytes = loaded.settings.config_bytes;
    assert_eq!(again.settings, loaded.settings);
    assert_eq!((again.keys.len(), again.warnings.len()), (loaded.keys.len(), loaded.warnings.len()));
}

fn within_the_file(remark: &Remark, text: &str) {
    let said = remark.to_string();
    assert!(!said.chars().any(char::is_control) && !remark.what.is_empty(), "{said:?}");
    let Some((line, column)) = remark.place else { return };
    let lines: Vec<&str> = text.split('\n').collect();
    let length = line.checked_sub(1).and_then(|at| lines.get(at)).map(|line| line.chars().count());
    assert!(length.is_some_and(|length| (1..=length + 1).contains(&column)), "{said} is not in the file");
}

/// A folder of this process with a key that can be used.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("guild-bridge-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let key = folder.join("k");
        std::fs::write(&key, "secret").expect("a file can be written");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("its mode can be set");
        folder
    })
}
