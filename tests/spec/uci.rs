use crate::folder::Folder;
use guild_bridge::config::{load, schema, uci};
use guild_bridge::settings::{RespondTo, StateMode, Transport};
use std::io::Write;
use std::process::{Command, Stdio};

const BRIDGE: &str = env!("CARGO_BIN_EXE_guild-bridge");
/// What the package installs.
const SHIPPED: &str = include_str!("../../board/openwrt/files/guild-bridge.config");

fn faults(text: &str) -> Vec<String> {
    let faults = uci::convert(text).err().unwrap_or_default();
    faults.into_iter().map(|fault| format!("{}: {}: {}", fault.line, fault.path, fault.what)).collect()
}

const WHOLE: &str = r#"package 'guild-bridge'

config daemon 'main'
	option enabled '1'
	option state 'group'
	option limits_message_bytes '4096'
	option timing_reconcile_s '0.5'

config guild 'acme'
	option dialect 'fabric'
	option url 'https://acme.example'
	option plaintext '0'
	option paths_token '/t'
	option paths_history '/h/{id}'

config guild 'my_other'
	option dialect 'fabric'
	option url 'https://other.example'

config agent 'recruiter'
	list guild 'acme'
	list guild 'my-other'
	option key_file 'key'
	list names 'The Recruiter'
	list exec '/bin/sh'
	list exec '-c'
	list exec 'cat # {text}'
	list exec 'it'\''s "me" \ $HOME `x`
on two lines'
	option stdin 'json'
	list env 'A=b=c'
	list env 'EMPTY='
	option parallel '4'
	option respond_to 'all'
	option attachments_max_bytes '1024'

config agent
	option name 'model-7'
	option guild 'acme'
	option key_file 'key'
	option http 'http://127.0.0.1:1/v1'
	option body '{"n": 12345678901234567890123, "q": "{text}"}'
	option pointer '/a/0'
	list headers 'X-Conversation={conv}'

config agent 'away'
	option enabled '0'
	option guild 'acme'
"#;

#[test]
fn a_whole_configuration_of_openwrt_is_ours() {
    let json = uci::convert(WHOLE).unwrap();
    let folder = Folder::new();
    folder.file("key", 0o600, "k-123\n");
    let loaded = load(&folder.file("config.json", 0o640, &json), None).unwrap();
    assert!(loaded.keys.is_empty(), "{:?}", loaded.keys);
    let settings = loaded.settings;
    assert_eq!((settings.state, settings.message_bytes), (StateMode::Group, 4096));
    assert_eq!(settings.timing.reconcile_ms, 500);
    let guilds: Vec<&str> = settings.guilds.iter().map(|guild| guild.name.as_str()).collect();
    assert_eq!(guilds, ["acme", "my-other"]);
    assert_eq!(settings.guilds[0].paths["history"], "/h/{id}");
    assert_eq!((settings.guilds[0].paths["token"].as_str(), settings.guilds[1].paths.len()), ("/t", 0));
    let [recruiter, model] = settings.agents.as_slice() else { panic!("{:?}", settings.agents) };
    assert_eq!((recruiter.name.as_str(), recruiter.parallel, recruiter.respond_to), ("recruiter", 4, RespondTo::All));
    assert_eq!(recruiter.guilds, ["acme", "my-other"]);
    assert_eq!(recruiter.names, ["The Recruiter"]);
    let Transport::Exec { argv, child, .. } = &recruiter.answer else { panic!("{:?}", recruiter.answer) };
    assert_eq!(argv, &["/bin/sh", "-c", "cat # {text}", "it's \"me\" \\ $HOME `x`\non two lines"]);
    assert_eq!((child.env["A"].as_str(), child.env["EMPTY"].as_str()), ("b=c", ""));
    assert_eq!(model.name, "model-7");
    let Transport::Http { body, pointer, headers, .. } = &model.answer else { panic!("{:?}", model.answer) };
    assert_eq!(body.as_deref(), Some(r#"{"n":12345678901234567890123,"q":"{text}"}"#));
    assert_eq!((pointer.as_deref(), headers["X-Conversation"].as_str()), (Some("/a/0"), "{conv}"));
}

#[test]
fn every_field_has_an_option() {
    for (shape, kind) in [(&schema::GUILD, "guild"), (&schema::AGENT, "agent"), (&schema::ROOT, "daemon")] {
        let names = uci::options(shape);
        for field in shape.fields {
            let own = ["guilds", "agents", "answer"].contains(&field.name);
            let there = names.iter().any(|name| *name == field.name || name.starts_with(&format!("{}_", field.name)));
            assert!(own || there, "{kind}: {} has no option in {names:?}", field.name);
        }
    }
    assert!(faults("config agent 'a'\n\tlist stdio 'x'\n\toption cwd '/'\n").is_empty());
}

#[test]
fn what_stands_in_a_section_of_an_agent_has_one_name_each() {
    let answers = schema::ANSWERS.iter().flat_map(|shape| uci::options(shape));
    let doubled: Vec<String> = answers.filter(|name| uci::options(&schema::AGENT).contains(name)).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
}

#[test]
fn every_fault_is_told_with_its_line_and_what_was_meant() {
    let told = faults(
        "config guild 'acme'\n\toption dialekt 'fabric'\n\toption plaintext 'maybe'\n\nconfig agend 'x'\n\
         \nconfig agent\n\toption guild 'acme'\n\nconfig agent 'a'\n\toption parallel 'four'\n\tlist key_file 'a'\n\
         \tlist key_file 'b'\n\toption body '{'\n\tlist env 'novalue'\n\toption enabled 'x'\n",
    );
    assert_eq!(told.len(), 9, "{told:#?}");
    assert_eq!(told[0], "2: guild acme: dialekt: is no option of guild; did you mean `dialect`?");
    assert_eq!(told[1], "3: guild acme: plaintext: is neither 0 nor 1");
    assert_eq!(told[2], "5: config agend: is no section of ours; did you mean `agent`?");
    assert_eq!(told[3], "7: config agent: has no name; write config agent 'NAME'");
    assert_eq!(told[4], "11: agent a: parallel: `four` is no number");
    assert_eq!(told[5], "12: agent a: key_file: is a list; write it once, as an option");
    assert!(told[6].starts_with("14: agent a: body: is no JSON: "), "{}", told[6]);
    assert_eq!(told[7], "15: agent a: env: `novalue` is not NAME=VALUE");
    assert_eq!(told[8], "16: agent a: enabled: is neither 0 nor 1");
}

#[test]
fn what_is_not_uci_is_told_with_its_line() {
    let told = |text: &str| faults(text).concat();
    assert_eq!(told("config guild 'acme'\n\toption url 'https://x\n\n"), "2: : the quote ' is never closed");
    assert_eq!(told("option a b\n"), "1: : option before any `config`");
    assert_eq!(
        told("config guild x\n\topton a b\n"),
        "2: : `opton` is not config, option or list; did you mean `option`?"
    );
    assert_eq!(
        told("config guild x\n\toption url a b\n"),
        "2: : `b` is one word too many; put a value with blanks into quotes"
    );
    assert_eq!(told("config guild x\n\toption url\n"), "2: : `option` has too few words, or too many");
    assert_eq!(
        told("config agent a\n\toption id 1\n\toption id 2\n"),
        "3: agent a: id: is given twice, in line 2 and here"
    );
    assert!(told("config guild a\nconfig guild a\n").contains("is there twice"));
}

#[test]
fn people_write_it_without_quotes_and_with_comments() {
    let json = uci::convert("# ours\nconfig guild acme # the one\n\toption url \"https://a\\\"b\" # x\n\n").unwrap();
    assert!(json.contains(r#""url": "https://a\"b""#), "{json}");
}

#[test]
fn the_same_configuration_gives_the_same_bytes_and_nothing_gives_an_empty_one() {
    assert_eq!(uci::convert(WHOLE), uci::convert(WHOLE));
    assert_eq!(uci::convert("").unwrap(), "{\n  \"guilds\": {},\n  \"agents\": {}\n}\n");
}

#[test]
fn the_configuration_that_the_package_installs_is_a_good_one_once_it_has_its_key() {
    let folder = Folder::new();
    let json = uci::convert(SHIPPED).unwrap().replace("/etc/guild-bridge/keys/", "");
    folder.file("recruiter", 0o600, "k-123\n");
    let loaded = load(&folder.file("config.json", 0o640, json), None).unwrap();
    assert!(loaded.keys.is_empty() && loaded.settings.agents.len() == 1, "{:?}", loaded.keys);
}

#[test]
fn the_command_reads_standard_input_or_a_file_and_says_what_is_wrong() {
    let mut asked =
        Command::new(BRIDGE).args(["config", "from-uci"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    asked.stdin.take().unwrap().write_all(WHOLE.as_bytes()).unwrap();
    let told = asked.wait_with_output().unwrap();
    assert_eq!(told.status.code(), Some(0));
    assert_eq!(String::from_utf8(told.stdout).unwrap(), uci::convert(WHOLE).unwrap());

    let folder = Folder::new();
    let file = folder.file("bad", 0o644, "config guild 'acme'\n\toption \u{1b}[31m 'x'\n");
    let told = Command::new(BRIDGE).args(["config", "from-uci", file.to_str().unwrap()]).output().unwrap();
    assert_eq!((told.status.code(), told.stdout.len()), (Some(78), 0));
    let words = String::from_utf8(told.stderr).unwrap();
    assert!(words.contains("bad:2: guild acme:") && !words.contains('\u{1b}'), "{words}");
    let told = Command::new(BRIDGE).args(["config", "from-uci", "/nowhere/at/all"]).output().unwrap();
    assert_eq!(told.status.code(), Some(78));
}
