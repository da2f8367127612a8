//! Real programs at the daemon's other side: by exec, stdio, socket and http; well-behaved and not.

use crate::guild::Options;
use crate::guild::agent;
use crate::guild::bridge::wait_for;
use crate::scene::{Running, Scene};
use crate::{Ended, Scenario};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    Scenario("an_exec_agent_is_asked_by_argv_and_by_text", 30, exec_text),
    Scenario("an_exec_agent_gets_a_scrubbed_environment", 30, scrubbed),
    Scenario("a_stdio_agent_answers_and_is_started_again_when_it_dies", 60, stdio),
    Scenario("a_socket_agent_may_come_late_go_and_come_back", 60, socket),
    Scenario("an_http_agent_answers_and_its_503_is_waited_for", 40, http_agent),
    Scenario("an_agent_that_hangs_is_ended_at_its_deadline_and_the_next_message_goes_on", 60, hangs),
    Scenario("an_agent_that_fails_is_tried_three_times_and_then_it_is_a_gap", 60, fails),
    Scenario("an_agent_that_is_busy_is_asked_again_and_that_does_not_count", 60, busy),
    Scenario("an_agent_that_floods_is_bounded", 70, floods),
    Scenario("invalid_utf8_is_replaced_and_counted", 30, invalid),
    Scenario("a_stdio_agent_that_writes_garbage_is_counted_and_bounded", 70, stdio_garbage),
    Scenario("an_agent_that_is_not_there_is_waited_for", 40, missing_program),
    Scenario("two_agents_of_one_daemon_keep_out_of_each_others_way", 40, two_agents),
];

fn agent_status(scene: &mut Scene, name: &str) -> Value {
    let status = scene.bridge.status();
    let mut agents = status["agents"].as_array().into_iter().flatten();
    agents.find(|agent| agent["agent"] == name).cloned().unwrap_or_default()
}

fn with_answer(answer: impl FnOnce(&Scene) -> Value) -> Scene {
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["agents"]["recruiter"]["answer"] = answer(&scene);
    scene
}

fn exec_text() -> Ended {
    let script = "read -r line; printf '%s|%s|%s|%s' \"$line\" \"$1\" \"$2\" \"$EXTRA\"";
    let argv = json!(["/bin/sh", "-c", script, "sh", "{channel}/{author}", "a {text} $(id) b"]);
    let mut scene = with_answer(|_| json!({"exec": argv, "stdin": "text", "env": {"EXTRA": "given"}})).live();
    scene.say("it's \"quoted\"; $(id)");
    scene.wait_replies(1, 5);
    let text = "it's \"quoted\"; $(id)";
    let author_id = format!("{text}|general/u7|a {text} $(id) b|given");
    let author_name = author_id.replace("general/u7", "general/alice");
    let reply = scene.replies().remove(0);
    assert!(reply == author_id || reply == author_name, "{reply}");
    scene.bridge.wait_state("recruiter", "live", 5);
    scene.end()
}

fn scrubbed() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.say("env");
    scene.wait_replies(1, 5);
    let names = scene.replies().remove(0);
    let allowed = ["PATH", "LANG", "TZ", "HOME"];
    assert!(names.split(' ').all(|name| allowed.contains(&name)), "{names}");
    assert!(scene.bridge.runs());
    scene.end()
}

fn stdio() -> Ended {
    let mut scene =
        with_answer(|scene| json!({"stdio": agent::argv("stdio", &scene.bridge.turn_log("recruiter"))})).live();
    (0..5).for_each(|n| drop(scene.say(&format!("m{n}"))));
    scene.answered("m4", 5);
    scene.say("die");
    scene.say("after its death");
    scene.answered("after its death", 40);
    let dead = agent_status(&mut scene, "recruiter");
    assert!(dead["turns_failed"].as_u64() >= Some(1), "{dead}");
    scene.talk("well again", 5);
    scene.end()
}

fn socket() -> Ended {
    let mut scene = with_answer(|scene| json!({"socket": scene.bridge.dir.0.join("agents.sock")})).live();
    let path = scene.bridge.dir.0.join("agents.sock");
    let argv = agent::argv("socket", &scene.bridge.turn_log("recruiter"));
    let hire = || {
        let mut command = Command::new(&argv[0]);
        Running(command.args(&argv[1..]).arg(&path).arg("recruiter").stderr(Stdio::null()).spawn().unwrap())
    };
    wait_for("the agents' socket", 5, || path.exists());
    scene.say("before anyone is there");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(agent_status(&mut scene, "recruiter")["state"], "missing");
    let first = hire();
    scene.answered("before anyone is there", 10);
    drop(first);
    scene.say("while it is away");
    std::thread::sleep(Duration::from_secs(1));
    let _second = hire();
    scene.answered("while it is away", 15);
    scene.say("hang");
    std::thread::sleep(Duration::from_millis(500));
    let given = scene.bridge.turns("recruiter").len();
    let _third = hire();
    wait_for("the open turn given again", 10, || scene.bridge.turns("recruiter").len() > given);
    let turns = scene.bridge.turns("recruiter");
    assert_eq!(turns[given]["turn"], turns[given - 1]["turn"], "under the same name");
    scene.end()
}

/// Answers POSTs in order with these, the last one for ever; says what was posted.
fn http_server(answers: Vec<(u16, String)>) -> (String, std::sync::mpsc::Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/chat", listener.local_addr().unwrap());
    let (tells, hears) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).is_ok_and(|n| n > 0) {}
            let length =
                head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            let _ = stream.read_exact(&mut body);
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            if tells.send((head, body)).is_err() {
                return;
            }
            let (status, answer) = answers.get(at).or(answers.last()).unwrap();
            let _ = write!(
                stream.get_mut(),
                "HTTP/1.1 {status} X\r\nretry-after: 1\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
                answer.len()
            );
        }
    });
    (url, hears)
}

fn http_agent() -> Ended {
    let good = json!({"choices": [{"message": {"role": "assistant", "content": "from the model"}}]}).to_string();
    let (url, asked) = http_server(vec![(503, "{}".into()), (200, good)]);
    let mut scene = with_answer(|scene| {
        let key = scene.bridge.dir.file("bearer", 0o600, "sk-test\n");
        json!({"http": url, "bearer_file": key, "pointer": "/choices/0/message/content",
               "body": {"model": "m", "user": "{conv}", "messages": [{"role": "user", "content": "{text}"}]}})
    })
    .live();
    scene.say("say \"it\"");
    scene.wait_replies(1, 15);
    assert_eq!(scene.replies(), ["from the model"]);
    let (head, body) = asked.recv().unwrap();
    assert!(head.to_ascii_lowercase().contains("authorization: bearer sk-test\r\n"), "{head}");
    assert_eq!(body["messages"][0]["content"], "say \"it\"");
    assert_eq!(body["user"], "acme.general");
    assert!(!scene.bridge.log().contains("sk-test"));
    let _ = agent_status(&mut scene, "recruiter");
    scene.end()
}

fn hangs() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.bridge.config["agents"]["recruiter"]["deadline_s"] = 1.into();
    let mut scene = scene.live();
    scene.say("hang");
    wait_for("a failed turn", 10, || agent_status(&mut scene, "recruiter")["reason"] == "agent.timeout");
    scene.say("after it");
    scene.answered("after it", 40);
    assert_eq!(scene.bridge.turns("recruiter").iter().filter(|turn| turn["message"]["text"] == "hang").count(), 3);
    assert_eq!(scene.number("gaps"), 1);
    scene.end()
}

fn fails() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.say("die");
    scene.say("after it");
    scene.answered("after it", 40);
    let turns = scene.bridge.turns("recruiter");
    let tried: Vec<(&Value, &Value)> =
        turns.iter().filter(|t| t["message"]["text"] == "die").map(|t| (&t["turn"], &t["attempt"])).collect();
    assert_eq!(tried.len(), 3);
    assert!(tried.iter().all(|(turn, _)| *turn == tried[0].0), "under one name");
    assert_eq!(scene.number("gaps"), 1);
    assert!(scene.bridge.log().contains("dying as asked"), "stderr's tail is in the log:\n{}", scene.bridge.tail());
    assert_eq!(agent_status(&mut scene, "recruiter")["reason"], "agent.failed");
    scene.end()
}

fn busy() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.say("busy");
    scene.answered("busy", 50);
    assert_eq!(scene.number("gaps"), 0);
    scene.end()
}

fn floods() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.say("flood 8");
    scene.say("after the flood");
    scene.answered("after the flood", 50);
    let seen = agent_status(&mut scene, "recruiter");
    let (peak, own) = scene.bridge.memory_kb().unwrap();
    println!("  a flood of 8 MB: VmHWM {peak} kB, RssAnon {own} kB; {}", seen["detail"]);
    scene.end()
}

fn invalid() -> Ended {
    let mut scene = Scene::new(Options::default()).live();
    scene.say("invalid");
    scene.wait_replies(1, 8);
    assert_eq!(scene.replies(), ["caf\u{fffd} \u{fffd}\u{fffd} end"]);
    assert!(agent_status(&mut scene, "recruiter")["garbled"].as_u64() >= Some(1));
    scene.end()
}

fn stdio_garbage() -> Ended {
    let mut scene = with_answer(|scene| json!({"stdio": agent::argv("stdio", &scene.bridge.turn_log("recruiter"))}));
    scene.bridge.config["agents"]["recruiter"]["deadline_s"] = 3.into();
    let mut scene = scene.live();
    scene.say("invalid");
    scene.say("flood");
    scene.talk("after all that", 60);
    assert!(agent_status(&mut scene, "recruiter")["garbled"].as_u64() >= Some(1));
    scene.end()
}

fn missing_program() -> Ended {
    let path = std::cell::RefCell::new(std::path::PathBuf::new());
    let mut scene = with_answer(|scene| {
        *path.borrow_mut() = scene.bridge.dir.0.join("agent");
        json!({"exec": [*path.borrow()], "stdin": "text"})
    })
    .live();
    scene.say("nobody there");
    wait_for("a word about it", 10, || agent_status(&mut scene, "recruiter")["reason"] == "agent.missing");
    scene.bridge.dir.file("agent", 0o755, "#!/bin/sh\nprintf 're: '; cat\n");
    scene.answered("nobody there", 25);
    assert_eq!(scene.number("gaps"), 0);
    scene.end()
}

fn two_agents() -> Ended {
    let mut scene = Scene::new(Options::default());
    scene.guild.with(|guild, _| {
        guild.add_agent("helper", "Helper", "key-2");
        guild.channels.get_mut("general").unwrap().members.insert("helper".into());
    });
    scene.bridge.exec_agent("helper", "key-2", json!({}));
    let mut scene = scene.live();
    scene.bridge.wait_state("helper", "live", 10);
    scene.say("slow 1000");
    scene.say("to both");
    let by = |scene: &Scene, who: &str| scene.guild.with(|guild, _| guild.said_by("general", who).len());
    wait_for("both answers", 10, || by(&scene, "recruiter") == 2 && by(&scene, "helper") == 2);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(by(&scene, "recruiter") + by(&scene, "helper"), 4, "they do not answer each other");
    scene.end()
}
