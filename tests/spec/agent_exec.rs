//! One process for each turn (CONTRACT section 2), with real programs.

use crate::agent_desk::{Dir, ONE, at_desk, exec, none, reply, runs, sh, turn, until};
use guild_bridge::agent::{Cancel, Said};
use guild_bridge::budget;
use guild_bridge::io::agent::child::Tail;
use guild_bridge::reason::{Reason, Why};
use guild_bridge::secret::Secret;
use guild_bridge::settings::{Child, Stdin, Stdout, Transport};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

fn failed(said: Said<'_>) -> Why {
    match said {
        Said::Failed { turn, why } if turn == "t_1" => why,
        other => panic!("a failure was due, not {other:?}"),
    }
}

fn with_child(script: &str, child: Child) -> Transport {
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    Transport::Exec { argv, stdin: Stdin::Text, stdout: Stdout::Text, child }
}

#[test]
fn the_text_goes_in_and_the_reply_comes_out() {
    at_desk(async |desk| {
        assert_eq!(desk.run("printf 'you said: '; cat", "status?").await, reply("t_1", "you said: status?"))
    });
}

#[test]
fn one_trailing_newline_is_cut_and_an_empty_answer_is_none() {
    at_desk(async |desk| assert_eq!(desk.run("printf 'a\\n\\n'", "").await, reply("t_1", "a\n")));
    at_desk(async |desk| assert_eq!(desk.run("echo", "").await, none("t_1")));
    at_desk(async |desk| assert_eq!(desk.run(":", "").await, none("t_1")));
}

#[test]
fn a_text_in_an_argument_is_one_argument_and_no_shell_reads_it() {
    at_desk(async |desk| {
        let text = "a b; $(touch /x) `id` '\"\n* {turn}";
        desk.hire(ONE, "recruiter", exec(&["printf", "<%s>", "{text}", "{conv}"], Stdin::None, Stdout::Text));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", text);
        assert_eq!(desk.next().await, reply("t_1", &format!("<{text}><acme.general>")));
    });
}

#[test]
fn a_nul_for_an_argument_fails_the_turn_and_on_stdin_it_is_fine() {
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", exec(&["printf", "%s", "{text}"], Stdin::None, Stdout::Text));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "a\0b");
        let why = failed(desk.next().await);
        assert!(why.reason == Reason::AgentFailed && why.detail.contains("NUL"), "{why}");
        assert_eq!(desk.run("cat", "a\0b").await, reply("t_1", "a\0b"));
    });
}

#[test]
fn stdin_can_be_the_message_line_or_nothing_at_all() {
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", exec(&["cat"], Stdin::Json, Stdout::Text));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "hi");
        assert_eq!(desk.next().await, reply("t_1", &guild_bridge::agent::line::message(&turn("t_1", "hi"))));
        desk.hire(ONE, "recruiter", exec(&["cat"], Stdin::None, Stdout::Text));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "hi");
        assert_eq!(desk.next().await, none("t_1"));
    });
}

#[test]
fn a_program_need_not_read_its_input() {
    let long = "x".repeat(1 << 20);
    at_desk(async |desk| assert_eq!(desk.run("echo no thanks", &long).await, reply("t_1", "no thanks")));
    at_desk(async |desk| assert_eq!(desk.run("exec <&-; sleep 0.2; echo done", &long).await, reply("t_1", "done")));
}

#[test]
fn a_long_text_is_echoed_without_a_deadlock() {
    let text = "y".repeat(budget::REPLY_BYTES);
    at_desk(async |desk| assert_eq!(desk.run("cat; echo", &text).await, reply("t_1", &text)));
}

#[test]
fn more_than_64_kib_fails_the_turn_and_kills_the_program() {
    at_desk(async |desk| {
        let why = failed(desk.run("while :; do echo flood; done", "").await);
        assert_eq!((why.reason, why.detail.as_str()), (Reason::AgentFailed, "it wrote more than 64 KiB"));
        let why = failed(desk.run("head -c 65537 /dev/zero", "").await);
        assert_eq!(why.detail, "it wrote more than 64 KiB");
    });
}

#[test]
fn invalid_utf_8_is_replaced_and_said_once() {
    at_desk(async |desk| {
        let detail = "standard output is not UTF-8 in 2 place(s); they were replaced";
        let garbled = Said::Garbled(Why::new(Reason::AgentGarbled, detail));
        assert_eq!(desk.run("printf 'a\\377b\\377'", "").await, garbled);
        assert_eq!(desk.next().await, reply("t_1", "a\u{fffd}b\u{fffd}"));
    });
}

#[test]
fn a_pointer_finds_the_reply_in_json() {
    at_desk(async |desk| {
        let json = |doc| exec(&["printf", "%s", doc], Stdin::None, Stdout::Json("/reply".to_owned()));
        for (doc, due) in
            [(r#"{"reply":"hi\n"}"#, reply("t_1", "hi\n")), ("", none("t_1")), (r#"{"reply":null}"#, none("t_1"))]
        {
            desk.hire(ONE, "recruiter", json(doc));
            assert_eq!(desk.next().await, Said::Here);
            desk.ask("t_1", "");
            assert_eq!(desk.next().await, due);
        }
        desk.hire(ONE, "recruiter", json("banner {}"));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "");
        let why = failed(desk.next().await);
        assert!(why.reason == Reason::AgentGarbled && why.detail.contains("not the JSON that was due"), "{why}");
    });
}

#[test]
fn exit_75_asks_for_time() {
    at_desk(async |desk| {
        assert_eq!(desk.run("exit 75", "").await, Said::Busy { turn: "t_1".into(), retry_ms: None });
    });
}

#[test]
fn another_exit_fails_the_turn_with_the_tail_of_stderr() {
    at_desk(async |desk| {
        let why = failed(desk.run("echo half; seq 1 9999 >&2; echo 'no\u{1b}[2Jmodel' >&2; exit 3", "").await);
        assert!(why.reason == Reason::AgentFailed && why.detail.starts_with("it exited with 3; stderr: …"), "{why}");
        assert!(why.detail.ends_with(r"9999\nno\u{1b}[2Jmodel") && why.detail.len() < 700, "{why}");
        assert_eq!(failed(desk.run("kill -9 $$", "").await).detail, "signal 9 ended it, nothing on stderr");
    });
}

#[test]
fn a_program_that_is_not_there_is_waited_for() {
    at_desk(async |desk| {
        let dir = Dir::new("plain");
        std::fs::write(dir.0.join("plain"), "x").unwrap();
        for (program, word) in [("/nonexistent/agent", "No such file"), (dir.file("plain").as_str(), "executable?")] {
            desk.hire(ONE, "recruiter", exec(&[program], Stdin::Text, Stdout::Text));
            let Said::Gone(seen) = desk.next().await else { panic!("it is seen without being asked") };
            desk.ask("t_1", "");
            let Said::Absent { turn, why } = desk.next().await else { panic!("it is not there") };
            assert_eq!((turn.as_ref(), why.reason), ("t_1", Reason::AgentMissing));
            assert!(why.detail.contains(program) && why.detail.contains(word) && seen == why, "{why}; {seen}");
        }
        std::fs::set_permissions(dir.0.join("plain"), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(desk.next().await, Said::Here, "it is found once it is there");
    });
}

#[test]
fn what_a_child_was_given_in_secret_is_not_shown_where_it_writes_it() {
    let dir = Dir::new("secret");
    dir.write("key", 0o600, "sk-0123456789");
    let child = || Child { env_files: [("API_KEY".to_owned(), dir.0.join("key"))].into(), ..Child::default() };
    at_desk(async |desk| {
        for (script, wanted) in [
            (
                "echo \"the key $API_KEY is not known\" >&2; exit 3",
                "it exited with 3; stderr: the key [secret] is not known",
            ),
            ("echo $API_KEY >&2; kill -9 $$", "signal 9 ended it; stderr: [secret]"),
        ] {
            desk.hire(ONE, "recruiter", with_child(script, child()));
            assert_eq!(desk.next().await, Said::Here);
            desk.ask("t_1", "");
            assert_eq!(failed(desk.next().await).detail, wanted);
        }
    });
    // wherever a long story, or what is shown of it, is cut
    for letters in 0..=budget::STDERR_BYTES {
        let mut tail = Tail::hiding(vec![Secret::new("sk-0123456789")]);
        tail.push(b"sk-0123456789");
        tail.push(&vec![b'x'; letters]);
        for most in [budget::DETAIL_BYTES, budget::STDERR_BYTES] {
            let shown = tail.last(most).unwrap();
            assert!(!shown.contains("789") && !shown.contains("sk-"), "{letters}: {shown}");
        }
    }
}

#[test]
fn a_child_gets_path_lang_tz_home_and_its_own_and_nothing_else() {
    let dir = Dir::new("env");
    dir.write("key", 0o600, "s3cret\n");
    let child = Child {
        cwd: Some(dir.0.clone()),
        env: [("MODE".to_owned(), "x y".to_owned())].into(),
        env_files: [("API_KEY".to_owned(), dir.0.join("key"))].into(),
    };
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", with_child("pwd; env | sort", child));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "");
        let Said::Reply { text, .. } = desk.next().await else { panic!("a reply was due") };
        let home = dir.0.to_str().unwrap();
        assert!(text.starts_with(&format!("{home}\nAPI_KEY=s3cret\nHOME={home}\n")), "{text}");
        let allowed = ["API_KEY=", "HOME=", "LANG=", "MODE=x y", "PATH=", "PWD=", "TZ=", "OLDPWD", "SHLVL=", "_="];
        assert!(text.lines().skip(1).all(|line| allowed.iter().any(|start| line.starts_with(start))), "{text}");
    });
}

#[test]
fn env_files_are_read_at_each_start_and_a_missing_or_open_one_is_named() {
    let dir = Dir::new("envfile");
    let key = dir.0.join("key");
    let child = Child { env_files: [("API_KEY".to_owned(), key.clone())].into(), ..Child::default() };
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", with_child("echo $API_KEY", child));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "");
        let Said::Absent { why, .. } = desk.next().await else { panic!("its key is not there") };
        assert!(why.detail.starts_with("API_KEY for its environment: ") && why.detail.contains("key"), "{why}");
        for value in ["one", "two"] {
            dir.write("key", 0o600, value);
            desk.ask("t_1", "");
            assert_eq!(desk.next().await, reply("t_1", value));
        }
        dir.write("key", 0o640, "three");
        desk.ask("t_1", "");
        let Said::Absent { why, .. } = desk.next().await else { panic!("its key is open to others") };
        assert!(why.detail.starts_with("API_KEY for its environment: mode 0640, want 0600: chmod 600 "), "{why}");
    });
}

#[test]
fn without_a_working_directory_it_runs_at_the_root_and_a_missing_one_is_named() {
    at_desk(async |desk| {
        assert_eq!(desk.run("pwd; echo $HOME", "").await, reply("t_1", "/\n/"));
        let child = Child { cwd: Some(PathBuf::from("/nonexistent/dir")), ..Child::default() };
        desk.hire(ONE, "recruiter", with_child("pwd", child));
        let Said::Gone(why) = desk.next().await else { panic!("it cannot run there") };
        assert_eq!(why.detail, "its working directory /nonexistent/dir is not there");
    });
}

#[test]
fn a_grandchild_that_holds_the_pipe_delays_the_reply_by_a_second_and_is_killed() {
    at_desk(async |desk| {
        let Said::Reply { text, .. } = desk.run("sleep 600 & echo $!", "").await else { panic!("a reply was due") };
        until("the grandchild is gone", || !runs(&text)).await;
    });
}

#[test]
fn turns_run_side_by_side() {
    at_desk(async |desk| {
        let dir = Dir::new("side");
        let (a, b) = (dir.file("a"), dir.file("b"));
        // each waits for the other
        let script = format!(
            "read n; touch {a}$n; while [ ! -e {a}1 ] || [ ! -e {a}2 ]; do sleep 0.05; done; echo $n >{b}; echo $n"
        );
        desk.hire(ONE, "recruiter", sh(&script));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "1\n");
        desk.ask("t_2", "2\n");
        let mut both = [format!("{:?}", desk.next().await), format!("{:?}", desk.next().await)];
        both.sort();
        assert_eq!(both, [format!("{:?}", reply("t_1", "1")), format!("{:?}", reply("t_2", "2"))]);
    });
}

#[test]
fn a_cancelled_turn_is_ended_by_term_and_nothing_is_said_of_it() {
    at_desk(async |desk| {
        let dir = Dir::new("term");
        let (up, down) = (dir.0.join("up"), dir.0.join("down"));
        let script = format!(
            "trap 'sleep 0.3; echo x >{}; exit 0' TERM; echo $$ >{}; while :; do sleep 0.05; done",
            down.display(),
            up.display()
        );
        desk.hire(ONE, "recruiter", sh(&script));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "");
        until("it runs", || std::fs::read_to_string(&up).is_ok_and(|pid| pid.ends_with('\n'))).await;
        desk.agents.cancel(ONE, "t_1", Cancel::Timeout);
        until("it ended in its own way", || down.exists()).await;
        assert!(desk.quiet(300).await);
    });
}

#[test]
fn a_program_that_ignores_term_is_killed_with_its_whole_group_and_leaves_no_zombie() {
    at_desk(async |desk| {
        let dir = Dir::new("kill");
        let pids = dir.0.join("pids");
        let script = format!("trap '' TERM; sleep 600 & echo $$ $! >{}; sleep 600", pids.display());
        desk.hire(ONE, "recruiter", sh(&script));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "");
        until("it runs", || std::fs::read_to_string(&pids).is_ok_and(|text| text.ends_with('\n'))).await;
        desk.agents.cancel(ONE, "t_1", Cancel::Timeout);
        let text = std::fs::read_to_string(&pids).unwrap();
        let there = || text.split_whitespace().any(|pid| PathBuf::from(format!("/proc/{pid}")).exists() && runs(pid));
        assert!(desk.quiet(500).await && there(), "TERM is ignored, KILL comes 2 s later");
        until("the group is gone", || !there()).await;
        let leader = format!("/proc/{}", text.split_whitespace().next().unwrap());
        until("the leader is reaped", || !PathBuf::from(&leader).exists()).await;
    });
}

#[test]
fn a_turn_asked_again_while_its_old_process_ends_is_answered_once_by_the_new_one() {
    at_desk(async |desk| {
        let dir = Dir::new("again");
        let mark = dir.file("mark");
        let script =
            format!("trap '' TERM; if [ -e {mark} ]; then echo new; else echo x >{mark}; sleep 1; echo old; fi");
        desk.hire(ONE, "recruiter", sh(&script));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "");
        until("the old one runs", || PathBuf::from(&mark).exists()).await;
        desk.agents.cancel(ONE, "t_1", Cancel::Timeout);
        desk.ask("t_1", "");
        assert_eq!(desk.next().await, reply("t_1", "new"));
        assert!(desk.quiet(1_500).await);
    });
}

#[test]
fn letting_go_of_all_agents_kills_what_they_run() {
    let dir = Dir::new("drop");
    let pids = dir.0.join("pids");
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", sh(&format!("trap '' TERM; sleep 600 & echo $! >{}; sleep 600", pids.display())));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "");
        until("it runs", || std::fs::read_to_string(&pids).is_ok_and(|text| text.ends_with('\n'))).await;
    });
    let pid = std::fs::read_to_string(&pids).unwrap();
    smol::block_on(until("it is gone", || !runs(&pid)));
}

#[test]
fn a_dismissed_agent_says_nothing_more() {
    at_desk(async |desk| {
        desk.hire(ONE, "recruiter", sh("sleep 0.3; echo late"));
        assert_eq!(desk.next().await, Said::Here);
        desk.ask("t_1", "");
        desk.agents.dismiss(ONE);
        assert!(desk.quiet(700).await);
    });
}

#[test]
fn attachments_of_a_turn_are_removed_and_no_other_directory_is() {
    let dir = Dir::new("discard");
    std::fs::create_dir_all(dir.0.join("t_1/x")).unwrap();
    let executor = std::rc::Rc::new(smol::LocalExecutor::new());
    let (post, _heard) = smol::channel::bounded(1);
    let dns = guild_bridge::io::dns::Dns::system();
    let agents = guild_bridge::io::agent::Agents::new(executor, post, dns, dir.0.clone());
    for odd in ["", ".", "..", "../x", "/etc", "t_1/x"] {
        assert!(agents.discard(odd).is_err(), "{odd}");
    }
    agents.discard("t_1").unwrap();
    agents.discard("t_1").unwrap();
    assert!(dir.0.exists() && !dir.0.join("t_1").exists());
}
