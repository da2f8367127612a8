use crate::folder::Folder;
use guild_bridge::budget;
use guild_bridge::config::{Loaded, Remark, load, schema};
use guild_bridge::io::secret;
use guild_bridge::settings::{RespondTo, StateMode, Stdin, Stdout, Transport};
use std::os::unix::fs::symlink;

const WHOLE: &str = include_str!("config/whole.json");

/// Loads a text from a folder that has a good key in `key`.
fn read(text: impl AsRef<[u8]>) -> Result<Loaded, Vec<String>> {
    let folder = Folder::new();
    folder.file("key", 0o600, "k-123\n");
    let file = folder.file("config.json", 0o644, text);
    let plain = |remark: Remark| remark.to_string().replace(&format!("{}/", folder.path().display()), "");
    load(&file, None).map_err(|faults| faults.into_iter().map(plain).collect())
}

/// A configuration of one guild and one agent, with more fields for each.
fn small(guild: &str, agent: &str) -> String {
    format!(
        r#"{{"guilds": {{"g": {{"dialect": "fabric", "url": "https://g.example"{guild}}}}},
"agents": {{"a": {{"guild": "g", "key_file": "key", "answer": {{"exec": ["/bin/sh"]}}{agent}}}}}}}"#
    )
}

fn faults(text: impl AsRef<[u8]>) -> Vec<String> {
    read(text).err().unwrap_or_default()
}

#[test]
fn every_field_comment_and_trailing_comma_is_read() {
    let loaded = read(WHOLE).unwrap();
    assert!(loaded.keys.is_empty() && loaded.warnings.is_empty(), "{:?} {:?}", loaded.keys, loaded.warnings);
    let settings = loaded.settings;
    assert_eq!((settings.guilds.len(), settings.agents.len()), (3, 4));
    assert_eq!((settings.state, settings.message_bytes), (StateMode::Group, 4096));
    assert_eq!(settings.heap_bytes, Some(8 << 20));
    let timing = settings.timing;
    assert_eq!((timing.reconcile_ms, timing.stable_ms, timing.backoff_base_ms), (500, 4250, 100));
    let page = settings.page.unwrap();
    assert_eq!((page.listen.to_string(), page.hosts.join(" ")), ("[::1]:8080".into(), "pi.lan [fe80::1]".into()));
    assert!(settings.metrics_file.is_some_and(|file| file.is_absolute() && file.ends_with("bridge.prom")));
}

#[test]
fn a_guild_has_its_addresses_without_trailing_slashes_and_mints_at_itself_unless_told() {
    let guilds = read(WHOLE).unwrap().settings.guilds;
    assert_eq!(
        (guilds[0].center.as_str(), guilds[0].url.as_str()),
        ("https://center.example", "https://guild.example/base")
    );
    assert_eq!((guilds[1].center.as_str(), guilds[1].url.as_str()), ("http://LocalHost:8080", "http://LocalHost:8080"));
    assert_eq!((guilds[0].namespace.as_str(), guilds[1].namespace.as_str()), ("/agents", "/"));
    assert_eq!(guilds[0].paths.get("post").map(String::as_str), Some("/p/{id}"));
    assert!(guilds[2].plaintext && guilds[1].paths.is_empty());
}

#[test]
fn an_agent_has_its_seat_and_habits() {
    let agent = read(WHOLE).unwrap().settings.agents.remove(0);
    assert_eq!(
        (agent.name.as_str(), agent.id.as_str(), agent.guilds),
        ("recruiter", "u-17", vec!["acme".into(), "home".into()])
    );
    assert_eq!(agent.key.unwrap().expose(), "k-123");
    assert_eq!((agent.parallel, agent.deadline_s, agent.backfill), (64, 86_400, 1000));
    assert_eq!((agent.respond_to, agent.bots_all, agent.attachment_bytes), (RespondTo::All, true, Some(1_048_576)));
    assert_eq!(agent.names, ["Rex", "rex the 2nd"]);
}

#[test]
fn what_is_not_said_has_the_documented_default() {
    let settings = read(small("", "")).unwrap().settings;
    let agent = &settings.agents[0];
    assert_eq!((agent.id.as_str(), agent.parallel, agent.deadline_s, agent.backfill), ("a", 1, 600, 0));
    assert_eq!((agent.respond_to, agent.bots_all, agent.attachment_bytes), (RespondTo::Mentions, false, None));
    assert_eq!((settings.state, settings.message_bytes), (StateMode::Memory, budget::MESSAGE_BYTES));
    assert!(matches!(&agent.answer, Transport::Exec { stdin: Stdin::Text, stdout: Stdout::Text, .. }));
}

#[test]
fn the_four_transports_are_read_as_written() {
    let agents = read(WHOLE).unwrap().settings.agents;
    let Transport::Exec { argv, stdin: Stdin::Json, stdout: Stdout::Json(pointer), child } = &agents[0].answer else {
        panic!()
    };
    assert_eq!((argv[3].as_str(), pointer.as_str(), child.env["A"].as_str()), ("{text}", "/a~1b/0", "1"));
    assert!(child.env_files["SECRET"].ends_with("key"));
    assert!(matches!(&agents[1].answer, Transport::Stdio { argv, .. } if argv == &["sh"]));
    assert!(matches!(&agents[2].answer, Transport::Socket { uids, .. } if uids == &[1000, 0]));
    let Transport::Http { url, body, headers, .. } = &agents[3].answer else { panic!() };
    assert_eq!(
        (url.as_str(), headers["X-Conv"].as_str()),
        ("http://127.0.0.1:11434/v1/chat/completions?x=1", "{conv}")
    );
    let text = r#"{"model":"m","stream":false,"n":1.50,"messages":[{"role":"user","content":"{text}"}],"none":null,"e":{},"l":[]}"#;
    assert_eq!(body.as_deref(), Some(text));
}

#[test]
fn a_page_beyond_loopback_is_asked_for_by_name() {
    let with = |more: &str| format!("{}, {more}}}", small("", "").trim_end().strip_suffix('}').unwrap());
    assert!(faults(with(r#""page": "127.3.2.1:80""#)).is_empty());
    assert!(faults(with(r#""page": "0.0.0.0:8080", "page_hosts": ["pi.lan"]"#)).is_empty());
    for (more, told) in [
        (r#""page": "0.0.0.0:8080""#, "page: 0.0.0.0 is not loopback"),
        (r#""page": "[2001:db8::1]:80", "page_hosts": []"#, "page: 2001:db8::1 is not loopback"),
        (r#""page": "localhost:8080""#, "page: `localhost:8080` is no address with a port; give 127.0.0.1:8080"),
        (r#""page": "127.0.0.1:0""#, "page: has port 0"),
        (r#""page_hosts": ["a"]"#, "page_hosts: belongs to a page"),
        (r#""page": "127.0.0.1:80", "page_hosts": ["b", "a:80"]"#, "page_hosts[1]: `a:80` is no host"),
        (r#""page": "127.0.0.1:80", "page_hosts": ["[x]"]"#, "page_hosts[0]: `[x]` is no host"),
    ] {
        let faults = faults(with(more));
        assert!(faults.len() == 1 && faults[0].contains(told), "{more}: {faults:?}");
    }
}

#[test]
fn one_run_tells_every_fault_with_its_line_column_and_field() {
    let told = faults(include_str!("config/faults.json")).join("\n") + "\n";
    assert_eq!(told, include_str!("config/faults.txt"), "\n{told}");
}

#[test]
fn text_that_is_not_json_is_told_where_it_ceases_to_be() {
    for (text, told) in [
        ("", "config.json:1:1: the file ends where a value is due"),
        ("{\n  \"a\": 1\n  \"b\": 2}", "config.json:2:9: a comma is missing here"),
        ("{ 'a': 1 }", "config.json:1:3: a field's name in double quotes is due, or }"),
        ("{\"ä\": maybe}", "config.json:1:7: `maybe` is no value; a string stands in double quotes"),
        (
            "{\"a\": \"x\ny\"}",
            "config.json:1:7: this string does not end on its line; close it with \" (a line break in it is \\n)",
        ),
        ("{ /* x", "config.json:1:3: this comment does not end; close it with */"),
        ("{\"a\": 0x1F}", "config.json:1:7: `0x1F` is not a number of JSON"),
        ("{\"a\": 9E666}", "config.json:1:7: `9E666` is a number too large to be read"),
        ("{} {}", "config.json:1:4: something follows the end of the configuration; remove it"),
        ("{\"a\": [1,,2]}", "config.json:1:10: a comma too many; remove it"),
    ] {
        assert_eq!(faults(text), [told], "{text}");
    }
}

#[test]
fn nesting_size_and_bytes_that_are_no_text_are_refused() {
    assert!(faults("[".repeat(100_000))[0].contains("nested deeper than 32 levels"));
    assert!(faults(" ".repeat(budget::CONFIG_BYTES + 1))[0].contains("is larger than 262144 bytes"));
    assert!(faults(b"{\n \"a\": \"\xff\"}")[0].starts_with("config.json:2:8: is not UTF-8"));
    let many = format!("{{{}}}", (0..5000).map(|n| format!("\"x{n}\":1,")).collect::<String>());
    let told = faults(many);
    assert_eq!(told.len(), budget::CONFIG_FAULTS + 1);
    assert!(told[budget::CONFIG_FAULTS].contains("4902 more faults"), "{}", told[budget::CONFIG_FAULTS]);
}

#[test]
fn plain_http_needs_loopback_or_a_plain_word() {
    for (url, good) in [
        ("http://localhost:1", true),
        ("http://127.9.9.9", true),
        ("http://[::1]:8080", true),
        ("http://[::ffff:127.0.0.1]", true),
        ("http://localhost.example", false),
        ("http://128.0.0.1", false),
        ("http://10.0.0.1", false),
        ("http://127.0.0.1.example", false),
        ("http://[::2]", false),
    ] {
        let told = faults(small("", "").replace("https://g.example", url));
        assert_eq!(told.is_empty(), good, "{url}: {told:?}");
        assert!(faults(small(", \"plaintext\": true", "").replace("https://g.example", url)).is_empty(), "{url}");
    }
}

#[test]
fn ranges_hold_at_both_ends() {
    for (field, good, bad) in [
        ("parallel", ["1", "64"], ["0", "65"]),
        ("deadline_s", ["1", "86400"], ["0", "86401"]),
        ("backfill", ["0", "1000"], ["-1", "1001"]),
    ] {
        for n in good {
            assert!(faults(small("", &format!(", \"{field}\": {n}"))).is_empty(), "{field} {n}");
        }
        for n in bad {
            let told = faults(small("", &format!(", \"{field}\": {n}")));
            assert!(told[0].contains(&format!("agents.a.{field}: is {n}; give a whole number from")), "{told:?}");
        }
    }
}

#[test]
fn names_are_short_and_plain() {
    for (name, good) in [
        ("a", true),
        ("0", true),
        ("a-1", true),
        ("-a", false),
        ("A", false),
        ("a_b", false),
        ("ä", false),
        ("", false),
    ] {
        let told = faults(small("", "").replace("\"a\"", &format!("\"{name}\"")));
        assert_eq!(told.is_empty(), good, "{name}: {told:?}");
    }
    assert!(faults(small("", "").replace("\"a\"", &format!("\"{}\"", "a".repeat(32)))).is_empty());
    assert_eq!(faults(small("", "").replace("\"a\"", &format!("\"{}\"", "a".repeat(33)))).len(), 1);
}

#[test]
fn a_near_name_is_offered_and_a_far_one_is_not() {
    let known = || schema::AGENT.fields.iter().map(|field| field.name);
    assert_eq!(schema::nearest("respondto", known()), Some("respond_to"));
    assert_eq!(schema::nearest("Key_File", known()), Some("key_file"));
    assert_eq!(schema::nearest("paralel", known()), Some("parallel"));
    assert_eq!(schema::nearest("kitchen", known()), None);
    assert_eq!(schema::nearest(&"x".repeat(100_000), known()), None);
}

#[test]
fn sockets_shared_by_agents_have_one_rule_and_shared_seats_are_remarked() {
    let two = |a: &str, b: &str| {
        let agent = |uids: &str| {
            format!(r#"{{"guild": "g", "id": "x", "key_file": "key", "answer": {{"socket": "/s"{uids}}}}}"#)
        };
        format!(
            r#"{{"guilds": {{"g": {{"dialect": "fabric", "url": "https://g"}}, "idle": {{"dialect": "fabric", "url": "https://g"}}}},
"agents": {{"a": {}, "b": {}}}}}"#,
            agent(a),
            agent(b)
        )
    };
    assert!(faults(two("", ", \"uids\": [1]"))[0].contains("agents.b.answer.uids: differs from agents.a's"));
    let warnings: Vec<_> = read(two("", "")).unwrap().warnings.iter().map(|w| w.path.clone()).collect();
    assert_eq!(warnings, ["agents.b.id", "guilds.idle"]);
}

#[test]
fn roots_that_cannot_be_read_are_a_fault_with_its_place() {
    assert_eq!(
        faults(small(r#", "extra_ca": "ca.pem""#, "")),
        ["config.json:1:80: guilds.g.extra_ca: `extra_ca` ca.pem: No such file or directory (os error 2); \
            it must be a PEM file of certificates"]
    );
    let key = &faults(small(r#", "extra_ca": "key""#, ""))[0];
    assert!(key.contains("guilds.g.extra_ca: `extra_ca` key: ") && key.contains("must be a PEM file"), "{key}");
}

#[test]
fn a_program_that_cannot_run_is_a_warning() {
    for (program, told) in [
        ("/nowhere/agent", "is not there"),
        ("/etc/passwd", "chmod +x /etc/passwd"),
        ("no-such-agent", "in no folder of PATH"),
    ] {
        let loaded = read(small("", "").replace("/bin/sh", program)).unwrap();
        assert!(loaded.warnings[0].to_string().contains(told), "{:?}", loaded.warnings);
    }
}

#[test]
fn a_bad_key_leaves_its_agent_without_one_and_says_why() {
    let loaded = read(small("", "").replace("\"key\"", "\"/nowhere/key\"")).unwrap();
    let told = loaded.settings.agents[0].key.as_ref().err().unwrap();
    assert_eq!(told, "/nowhere/key is missing; put the key there, mode 0600");
    assert!(
        loaded.keys[0].to_string().contains(":2:44: agents.a.key_file: /nowhere/key is missing"),
        "{}",
        loaded.keys[0]
    );
}

#[test]
fn a_key_file_is_plain_private_short_and_not_empty() {
    let folder = Folder::new();
    let told = |name: &str, mode, content: &[u8]| secret::read(&folder.file(name, mode, content), None).err().unwrap();
    assert!(told("a", 0o600, b"").contains("is empty"));
    assert!(told("b", 0o600, b" \n").contains("is empty"));
    assert!(told("c", 0o600, &[b'x'; budget::KEY_BYTES + 1]).contains("is larger than 4096 bytes"));
    assert!(told("d", 0o600, b"\xff").contains("is not text"));
    assert!(told("e", 0o644, b"k").starts_with("mode 0644, want 0600: chmod 600 "));
    assert!(told("f", 0o620, b"k").starts_with("mode 0620, want 0600: chmod 600 "));
    assert!(secret::read(folder.path(), None).err().unwrap().contains("is not a plain file"));
    assert!(secret::read("/dev/null".as_ref(), None).err().unwrap().contains("is not a plain file"));
}

#[test]
fn a_link_to_a_private_file_is_a_key_and_one_to_an_open_file_is_not() {
    let folder = Folder::new();
    symlink(folder.file("good", 0o600, "k\r\n"), folder.path().join("l1")).unwrap();
    symlink(folder.file("open", 0o604, "k"), folder.path().join("l2")).unwrap();
    assert_eq!(secret::read(&folder.path().join("l1"), None).unwrap().expose(), "k");
    assert!(secret::read(&folder.path().join("l2"), None).err().unwrap().starts_with("mode 0604"));
}

#[test]
fn a_relative_key_is_a_credential_where_there_is_one_and_the_group_may_read_it() {
    let (config, credentials) = (Folder::new(), Folder::new());
    let file = config.file("config.json", 0o644, small("", ""));
    config.file("key", 0o600, "beside");
    let exposed = |loaded: Loaded| loaded.settings.agents[0].key.clone().map(|key| key.expose().to_owned());
    assert_eq!(exposed(load(&file, Some(credentials.path())).unwrap()), Ok("beside".to_owned()));
    credentials.file("key", 0o440, "credential");
    assert_eq!(exposed(load(&file, Some(credentials.path())).unwrap()), Ok("credential".to_owned()));
    credentials.file("key", 0o444, "credential");
    assert!(exposed(load(&file, Some(credentials.path())).unwrap()).unwrap_err().starts_with("mode 0444"));
}

#[test]
fn what_the_unit_makes_a_credential_of_is_found_by_hand_too() {
    let config = Folder::new();
    let file = config.file("config.json", 0o644, small("", "").replace("\"key\"", "\"keys_recruiter\""));
    let key = |credentials| load(&file, credentials).unwrap().settings.agents[0].key.clone();
    assert!(key(None).unwrap_err().contains("/keys_recruiter is missing"));
    std::fs::create_dir(config.path().join("keys")).unwrap();
    assert!(key(None).unwrap_err().contains("/keys/recruiter is missing"), "said where the unit looks");
    config.file("keys/recruiter", 0o600, "of the folder");
    assert_eq!(key(None).unwrap().expose(), "of the folder");
    let credentials = Folder::new();
    credentials.file("keys_recruiter", 0o440, "credential");
    assert_eq!(key(Some(credentials.path())).unwrap().expose(), "credential");
    config.file("keys_recruiter", 0o600, "beside");
    assert_eq!(key(None).unwrap().expose(), "beside");
}

#[test]
fn a_heap_below_the_ceiling_is_refused_with_its_place_and_the_change_that_saves_most() {
    let agent = |n: usize, more: &str| {
        let guilds = if more.contains("two guilds") { r#"["g", "h"]"# } else { r#""g""# };
        let answer = if more.contains("socket") { r#"{"socket": "/s"}"# } else { r#"{"exec": ["/bin/sh"]}"# };
        let parallel = if more.contains("parallel") { 64 } else { 1 };
        format!(r#""a{n}": {{"guild": {guilds}, "key_file": "key", "answer": {answer}, "parallel": {parallel}}}"#)
    };
    let text = |agents: usize, more: &str, limits: &str| {
        let agents: Vec<String> = (0..agents).map(|n| agent(n, more)).collect();
        let guilds = ["g", "h"].map(|g| format!(r#""{g}": {{"dialect": "fabric", "url": "https://{g}.example"}}"#));
        let (guilds, agents) = (guilds.join(", "), agents.join(", "));
        format!("{{\"guilds\": {{{guilds}}},\n\"agents\": {{{agents}}},\n\"limits\": {{{limits}}}}}")
    };
    let least = "\"channels\": 1, \"message_bytes\": 1024";
    for (agents, more, limits, change) in [
        (1, "", "\"message_bytes\": 65536", "of `channels`: a lower `limits.channels` makes it"),
        (1, "", "\"channels\": 1", "of `room`: a lower `limits.message_bytes` makes it"),
        (1, "socket", least, "nothing of it can be less: give"),
        (1, "parallel", "\"channels\": 1", "a lower `parallel`"),
        (2, "socket", "\"channels\": 64", "of `channels`"),
        (2, "", "\"channels\": 34", "of `channels`"),
        (1, "two guilds", "\"channels\": 34", "of `channels`"),
        (64, "", "\"message_bytes\": 1024", "a lower `limits.channels`"),
        (64, "", "\"channels\": 1", "one agent less"),
    ] {
        let ceiling = read(text(agents, more, limits)).unwrap().settings.heap_limit();
        // what is computed has room for the line that says it
        assert!(faults(text(agents, more, &format!("{limits}, \"heap_bytes\": {ceiling}"))).is_empty(), "{limits}");
        let told = faults(text(agents, more, &format!("\"heap_bytes\": 1048576, {limits}")));
        let [told] = told.as_slice() else { panic!("{told:?}") };
        assert!(told.starts_with("config.json:3:26: limits.heap_bytes: is 1048576, and"), "{told}");
        assert!(told.contains(change), "{agents} {more} {limits}: {told}");
        // what it proposes is taken
        let (_, proposed) = told.split_once(" here").map(|(before, _)| before.rsplit_once(' ').unwrap()).unwrap();
        assert!(faults(text(agents, more, &format!("\"heap_bytes\": {proposed}, {limits}"))).is_empty(), "{told}");
    }
}

#[test]
fn no_key_is_ever_in_what_is_printed() {
    let loaded = read(WHOLE).unwrap();
    assert!(!format!("{:?}", loaded.settings).contains("k-123"));
    assert!(
        faults(small("", "").replace("https://", "https://me:hunter2@")).iter().all(|told| !told.contains("hunter2"))
    );
}
