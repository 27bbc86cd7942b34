#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::time::Instant;

use rustix::process::{Pid, test_kill_process};
use stella_protocol::fix::Act;

use super::super::rig::{Heard, argv_act, call, payloads};
use super::*;

/// Programs of the tests: the shell is a target here, started as any other program.
fn caller() -> ArgvCaller {
    let programs = ["/bin/sh", "/bin/printf", "/bin/true", "/etc/passwd", "/nowhere"];
    ArgvCaller::new(programs.map(str::to_owned).to_vec(), vec!["HOME".to_owned(), "PATH".to_owned()])
}

async fn perform(act: &ArgvAct) -> (Outcome, Vec<(Stream, String)>) {
    let mut heard = Heard::default();
    let outcome = caller().perform(act, &call(Act::Argv(act.clone())), &mut heard).await;
    (outcome, heard.0)
}

fn shell(script: &str) -> ArgvAct {
    argv_act("/bin/sh", &["-c", script])
}

/// X-10, the side of the commands.
#[tokio::test]
async fn each_of_500_payloads_reaches_the_program_as_one_whole_argument() {
    let payloads = payloads();
    assert_eq!(payloads.iter().collect::<BTreeSet<_>>().len(), 500);
    for payload in payloads {
        let act = argv_act("/bin/printf", &["%s\\0", "left", &payload, "right"]);
        match caller().ask(&act).await {
            Ok(ran) => {
                assert_eq!(ran.end, End::Exit(0), "{payload:?}");
                assert_eq!(ran.out.unwrap(), format!("left\0{payload}\0right\0").as_bytes(), "{payload:?}");
            }
            Err(_) => assert!(payload.contains('\0'), "{payload:?}"),
        }
    }
}

/// The same seen from the kernel. Where nothing can be traced there is nothing to see: then that no
/// shell is started stands on `command` alone, which names none.
#[test]
fn the_kernel_saw_no_shell_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let trace = |what: &[&std::ffi::OsStr]| {
        let mut strace = std::process::Command::new("strace");
        strace.args(["-f", "-qq", "-e", "trace=execve,execveat", "-o"]).arg(file.path()).args(what);
        strace.output().is_ok_and(|output| output.status.success())
    };
    if !trace(&["/bin/true".as_ref()]) {
        return;
    }
    let name = module_path!().split_once("::").unwrap().1;
    let test = format!("{name}::each_of_500_payloads_reaches_the_program_as_one_whole_argument");
    let this = std::env::current_exe().unwrap();
    assert!(trace(&[this.as_os_str(), "--exact".as_ref(), test.as_ref()]));
    let seen = std::fs::read_to_string(file.path()).unwrap();
    let started = |program: &str| seen.lines().filter(|line| line.contains(&format!("execve(\"{program}\""))).count();
    assert!((480..=500).contains(&started("/bin/printf")), "{}", started("/bin/printf"));
    let all = seen.lines().filter(|line| line.contains("execve")).count();
    assert_eq!(all, started("/bin/printf") + 1, "this test and the program, nothing else");
}

#[tokio::test]
async fn only_what_is_allowed_there_and_executable_is_started() {
    for (program, rehearsed) in [
        ("/bin/true", true),
        ("/etc/passwd", false),
        ("/nowhere", false),
        ("/bin/cat", false),
        ("true", false),
        ("/bin/../bin/true", false),
        ("bin/true", false),
        ("/bin/true ", false),
        ("", false),
        ("/bin/true;id", false),
    ] {
        let act = argv_act(program, &[]);
        assert_eq!(caller().rehearse(&act).await.is_ok(), rehearsed, "{program}");
        assert_eq!(matches!(perform(&act).await.0, Outcome::Done(_)), rehearsed, "{program}");
        assert_eq!(matches!(perform(&act).await.0, Outcome::Clean(_)), !rehearsed, "{program}");
    }
    let act = ArgvAct { environment: vec![Text::from("LD_PRELOAD")], ..argv_act("/bin/true", &[]) };
    assert!(matches!(perform(&act).await.0, Outcome::Clean(_)));
}

#[tokio::test]
async fn a_child_has_what_it_was_given_and_nothing_else() {
    // Ours, and open: a child that inherited it would show it.
    let ours = tempfile::NamedTempFile::new().unwrap();
    let script = "tr '\\0' '\\n' < /proc/self/environ; for f in /proc/$$/fd/*; do readlink $f; done; \
                  pwd; readlink /proc/self/fd/0; ulimit -c";
    let mut act = shell(script);
    act.environment = vec![Text::from("PATH")];
    let (outcome, heard) = perform(&act).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{heard:?}");
    let lines: Vec<&str> = heard.iter().map(|(_, line)| line.as_str()).collect();
    let mut names: Vec<&str> = lines.iter().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.retain(|name| !matches!(*name, "PWD" | "OLDPWD" | "_" | "SHLVL"));
    names.sort_unstable();
    assert_eq!(names, ["PATH", "STELLA_FENCE", "STELLA_IDEMPOTENCY_KEY"]);
    assert!(lines.contains(&"STELLA_FENCE=7") && lines.contains(&"STELLA_IDEMPOTENCY_KEY=fx-12.0.do"));
    assert!(lines.iter().any(|line| line.starts_with("pipe:")));
    assert!(!lines.iter().any(|line| *line == ours.path().as_os_str()));
    // Its folder, its input, no memory image.
    assert_eq!(lines[lines.len() - 3..], ["/", "/dev/null", "0"]);
}

#[tokio::test]
async fn an_exit_code_says_done_not_done_or_unknown() {
    for (script, success, clean, expected) in [
        ("exit 0", vec![], vec![], "done"),
        ("exit 1", vec![], vec![], "unknown"),
        ("exit 1", vec![], vec![1], "clean"),
        ("exit 3", vec![3], vec![], "done"),
        ("exit 0", vec![3], vec![], "unknown"),
        ("kill -9 $$", vec![], vec![9, 137], "unknown"),
    ] {
        let (outcome, _) = perform(&ArgvAct { success, clean, ..shell(script) }).await;
        let word = match outcome {
            Outcome::Done(_) => "done",
            Outcome::Clean(_) => "clean",
            Outcome::Unknown(_) => "unknown",
        };
        assert_eq!(word, expected, "{script}");
    }
}

#[tokio::test]
async fn lines_come_from_both_streams_without_control_characters_and_no_more_than_is_kept() {
    let script =
        "printf 'one\\033[2J\\n'; echo two >&2; i=0; while [ $i -lt 700 ]; do printf '%01023d\\n' 0; i=$((i+1)); done";
    let (outcome, heard) = perform(&shell(script)).await;
    assert!(matches!(outcome, Outcome::Done(_)));
    assert!(
        heard.contains(&(Stream::Out, "one\\u{1b}[2J".to_owned())) && heard.contains(&(Stream::Err, "two".to_owned()))
    );
    let kept: usize = heard.iter().filter(|(stream, _)| *stream == Stream::Out).map(|(_, line)| line.len() + 1).sum();
    assert!((250 * 1024..=257 * 1024).contains(&kept), "{kept}");
    assert_eq!(heard.iter().filter(|(stream, _)| *stream == Stream::Stella).count(), 1);
}

fn lives(pid: i32) -> bool {
    // One that ended and whose parent has not asked for it is no process any more.
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let dead = state.rsplit(") ").next().is_none_or(|rest| rest.starts_with('Z'));
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok()) && !dead
}

async fn until_dead(pid: i32) {
    let gone = async {
        while lives(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

fn pids(heard: &[(Stream, String)]) -> Vec<i32> {
    heard.iter().filter_map(|(_, line)| line.parse().ok()).collect()
}

#[tokio::test]
async fn a_time_out_kills_children_of_children_even_such_as_refuse_to_stop() {
    let deaf = "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $!; echo $$; while :; do sleep 1; done";
    let begun = Instant::now();
    let (outcome, heard) =
        perform(&ArgvAct { environment: vec![Text::from("PATH")], timeout_ms: 500, ..shell(deaf) }).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    let pids = pids(&heard);
    assert_eq!(pids.len(), 2);
    for pid in pids {
        until_dead(pid).await;
    }
}

#[tokio::test]
async fn whoever_stops_waiting_stops_the_whole_group() {
    struct Told(tokio::sync::mpsc::UnboundedSender<i32>);
    impl Output for Told {
        fn line(&mut self, _: Stream, text: Text) {
            let _ = self.0.send(text.raw().parse().unwrap());
        }
    }
    let act = ArgvAct { environment: vec![Text::from("PATH")], ..shell("sleep 100 & echo $!; echo $$; wait") };
    let call = call(Act::Argv(act.clone()));
    let (send, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let running = tokio::spawn(async move { caller().perform(&act, &call, &mut Told(send)).await });
    let pids = [heard.recv().await.unwrap(), heard.recv().await.unwrap()];
    assert!(pids.into_iter().all(lives));
    running.abort();
    for pid in pids {
        until_dead(pid).await;
    }
}

#[tokio::test]
async fn what_a_good_end_leaves_stays_and_what_a_bad_one_leaves_does_not() {
    for (code, stays) in [(0, true), (1, false)] {
        let script = format!("sleep 30 > /dev/null 2>&1 & echo $!; exit {code}");
        let begun = Instant::now();
        let (_, heard) = perform(&ArgvAct { environment: vec![Text::from("PATH")], ..shell(&script) }).await;
        let [pid] = pids(&heard)[..] else { unreachable!("one line with a number: {heard:?}") };
        assert!(begun.elapsed() < Duration::from_secs(20));
        if stays {
            assert!(lives(pid));
            rustix::process::kill_process(Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
        } else {
            until_dead(pid).await;
        }
    }
}
