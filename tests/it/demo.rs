//! The demo, as a newcomer meets it: real processes, real curl, a real shell.
//!
//! The demo prefers fixed ports, so these stories take turns.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::PATIENCE;
use crate::support::gateway::program;

/// A running demo.
struct Demo {
    dir: PathBuf,
    process: Child,
    printed: Vec<String>,
}

#[test]
fn every_example_answers_as_its_title_says() {
    let (_turn, dir) = (turn(), tempfile::tempdir().unwrap());
    let demo = Demo::start(&world(&dir), 2026);
    let description = demo.description();
    let examples = description["examples"].as_array().unwrap();
    assert!(examples.len() >= 20, "only {} examples", examples.len());
    let wrong: Vec<String> = examples
        .iter()
        .filter_map(|example| {
            let (status, body) = demo.ask(&description, example);
            let expected = example["status"].to_string();
            (status != expected).then(|| format!("{}: {status}, not {expected}: {body}", example["title"]))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    demo.stop();
}

#[test]
fn the_printed_lines_work_when_they_are_pasted_into_a_shell() {
    let (_turn, dir) = (turn(), tempfile::tempdir().unwrap());
    let demo = Demo::start(&world(&dir), 2026);
    let (said, lines) = demo.printed.split_first().unwrap();
    assert!(said.contains("https://localhost:") && lines.len() <= 10, "{:#?}", demo.printed);

    let out = paste(&lines.join("\n"));
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    let answers: Vec<&str> = text.lines().collect();
    let tour: Vec<&str> = answers.iter().skip(2).copied().take_while(|l| !l.starts_with("intact")).collect();
    let steps: Vec<&str> = tour.iter().filter(|l| !l.starts_with('#')).filter_map(|l| l.get(..3)).collect();
    assert_eq!(
        steps,
        ["403", "201", "200", "200", "200", "200", "200", "200", "200", "200", "403"],
        "refused, applied, six commands, answered, revoked, refused: {text}"
    );
    assert!(text.contains(r#""mobile":"138****8000""#) && text.contains(r#""state":"revoked""#), "{text}");
    let answers: Vec<&str> = answers.iter().copied().filter(|line| !tour.contains(line)).collect();
    for (answer, shows) in answers.iter().zip([
        r#""data":{"status":"receiving","monthly_income":true}"#,
        r#""code":"denied-by-rule""#,
        "intact: ",
    ]) {
        assert!(answer.contains(shows), "{shows} is not in {answer}");
    }
    demo.stop();
}

#[test]
fn a_stopped_demo_leaves_no_process_and_starts_again_where_it_was() {
    let (_turn, dir) = (turn(), tempfile::tempdir().unwrap());
    let demo = Demo::start(&world(&dir), 2026);
    let first = demo.first_example();
    let children = demo.children();
    assert_eq!(children.len(), 7, "five adapters, the old service, the gateway");
    demo.stop();
    assert_eq!(children.iter().filter(|pid| runs(**pid)).count(), 0);

    let again = Demo::start(&world(&dir), 2026);
    let second = again.first_example();
    assert!(second > first, "the log went on from {first} to {second}");
    again.stop();
}

#[test]
fn a_killed_demo_leaves_no_process() {
    let (_turn, dir) = (turn(), tempfile::tempdir().unwrap());
    let mut demo = Demo::start(&world(&dir), 2026);
    let children = demo.children();
    demo.process.kill().unwrap();
    demo.process.wait().unwrap();
    let began = Instant::now();
    while children.iter().any(|pid| runs(*pid)) {
        assert!(began.elapsed() < PATIENCE, "still running: {children:?}");
        std::thread::yield_now();
    }
}

#[test]
fn the_same_seed_gives_the_same_people_and_another_gives_others() {
    let _turn = turn();
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [one, same, other] = [(&dirs[0], 7), (&dirs[1], 7), (&dirs[2], 8)].map(|(dir, seed)| {
        Demo::start(&world(dir), seed).stop();
        records(&world(dir))
    });
    assert_eq!(one.len(), 6, "five databases and a register");
    assert!(one == same, "two worlds of one seed differ");
    assert!(one.iter().zip(&other).all(|(one, other)| one != other), "another seed gave the same people");
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let out = Command::new(program()).args(["demo", "--dir"]).arg(dir.path()).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("name another"), "{out:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

impl Demo {
    /// Starts it and waits for what it prints.
    fn start(dir: &Path, seed: u32) -> Self {
        let began = Instant::now();
        let mut process = Command::new(program())
            .args(["demo", "--people", "300", "--seed", &seed.to_string(), "--dir"])
            .arg(dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines(process.stdout.take().unwrap());
        let mut printed: Vec<String> = Vec::new();
        while !printed.last().is_some_and(|line| line.contains("audit verify")) {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => printed.push(line),
                Err(_) => {
                    process.kill().unwrap();
                    process.wait().unwrap();
                    panic!("the demo did not start; it printed {printed:#?}");
                }
            }
        }
        eprintln!("the demo was ready after {} ms", began.elapsed().as_millis());
        Self { dir: dir.to_owned(), process, printed }
    }

    fn description(&self) -> Value {
        serde_json::from_slice(&fs::read(self.dir.join("demo.json")).unwrap()).unwrap()
    }

    /// Sends an example with curl: the status and the body.
    fn ask(&self, description: &Value, example: &Value) -> (String, String) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut curl = Command::new("curl");
        curl.current_dir(&self.dir).args([
            "-sS",
            "-w",
            "\n%{http_code}",
            "--cacert",
            &text(&description["ca"]),
        ]);
        if let Some(system) = example["system"].as_str() {
            let client = &description["clients"][system];
            curl.args(["--cert", &text(&client["cert"]), "--key", &text(&client["key"])]);
        }
        if let Some(account) = example["account"].as_str() {
            let jar = self.sign_in(description, account);
            curl.args(["-b", &jar]);
        }
        if !example["body"].is_null() {
            curl.args(["-H", "content-type: application/json", "-d", &example["body"].to_string()]);
        }
        curl.args(["-X", &text(&example["method"])]);
        curl.arg(text(&description["base_url"]) + example["path"].as_str().unwrap());
        let out = String::from_utf8(curl.output().unwrap().stdout).unwrap();
        let (body, status) = out.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }

    /// Signs in with a certificate, once for each account: the file of the cookie.
    fn sign_in(&self, description: &Value, account: &str) -> String {
        let jar = format!("jar.{account}");
        let accounts = description["accounts"].as_array().unwrap();
        let official = accounts.iter().find(|known| known["name"] == account).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let url = text(&description["base_url"]) + "/v1/session";
        let mut curl = Command::new("curl");
        curl.current_dir(&self.dir).args(["-sS", "-f", "--cacert", &text(&description["ca"]), "-c", &jar]);
        curl.args(["--cert", &text(&official["cert"]), "--key", &text(&official["key"]), &url]);
        let out = curl.args(["--json", r#"{"by":"certificate"}"#]).output().unwrap();
        assert!(out.status.success(), "{account}: {out:?}");
        jar
    }

    /// Sends the first example: the index of its record.
    fn first_example(&self) -> u64 {
        let description = self.description();
        let (status, body) = self.ask(&description, &description["examples"][0]);
        assert_eq!(status, "200", "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["receipt"]["index"].as_u64().unwrap()
    }

    fn children(&self) -> HashSet<u32> {
        let path = format!("/proc/{0}/task", self.process.id());
        let of_thread = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children")).unwrap();
        let lists = fs::read_dir(path).unwrap().map(|thread| of_thread(thread.unwrap()));
        lists
            .flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>())
            .collect()
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    fn stop(mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Held while a demo runs.
fn turn() -> File {
    let file = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo.turn")).unwrap();
    file.lock().unwrap();
    file
}

/// A folder that is not there yet.
fn world(dir: &TempDir) -> PathBuf {
    dir.path().join("world")
}

/// Everything that the departments keep, as their files have it.
fn records(world: &Path) -> Vec<Vec<u8>> {
    let files = ["civil/data.db", "hrss/data.db", "housing/data.db", "justice/data.db", "medical/data.db"];
    let paths = files.into_iter().chain(["housing/legacy.json"]);
    paths.map(|path| fs::read(world.join("departments").join(path)).unwrap()).collect()
}

/// Does a process run? One that has ended and was not waited for does not.
fn runs(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

/// What a shell makes of `lines`, standing somewhere else.
fn paste(lines: &str) -> Output {
    let mut shell = Command::new("bash")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    shell.wait_with_output().unwrap()
}

/// The lines that come out of a pipe.
fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            sender.send(line).ok();
        }
    });
    receiver
}
