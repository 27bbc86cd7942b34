//! What a definition's file may not say, and what is told about it.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::parse;

const GOOD: &str = r#"title = "Restart {pool}"
risk = "medium"
policy = "approve"
owner = "platform"
target = "pool:{pool}"

[[match]]
type = "health"

[[parameter]]
name = "pool"
kind = "enum"
values = ["a", "b"]
from = "label.pool"

[[step]]
title = "Restart {pool}"
fenced = true
http = { method = "POST", base = "app", path = "/pools/{pool}/restart" }
"#;

fn problems(text: &str) -> Vec<String> {
    parse("x", "x.toml", text).map_or_else(|found| found.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

#[test]
fn a_good_file_gives_a_definition_and_its_words_are_its_digest() {
    let definition = parse("x", "x.toml", GOOD).unwrap();
    assert_eq!((definition.id.as_str(), definition.digest.len()), ("x", 64));
    let other = parse("x", "x.toml", &GOOD.replace("platform", "platforms")).unwrap();
    assert_ne!(definition.digest, other.digest);
}

#[test]
fn each_mistake_is_told_with_its_line_and_what_to_write() {
    let auto = "policy = \"auto\"";
    let step = "http = { method = \"POST\", base = \"app\", path = \"/pools/{pool}/restart\" }";
    let cases: &[(&str, &str, &str)] = &[
        ("risk = \"medium\"", "risk = \"meduim\"", "x.toml:2: `risk` is `meduim`; did you mean `medium`?"),
        ("owner = \"platform\"", "ownr = \"platform\"", "x.toml:4: unknown key `ownr`; did you mean `owner`?"),
        ("owner = \"platform\"", "", "`owner` is missing; want who answers for it"),
        (
            "title = \"Restart {pool}\"\nrisk",
            "title = \"Restart {pol}\"\nrisk",
            "x.toml:1: `{pol}` is no parameter of this definition; did you mean `pool`?",
        ),
        ("target = \"pool:{pool}\"", "target = \"{pool}:x\"", "x.toml:5: `{pool}:x`: a target is"),
        ("type = \"health\"", "type = \"healthy\"", "x.toml:8: `type` is `healthy`; did you mean `health`?"),
        ("type = \"health\"", "", "x.toml:7: this fits every alert"),
        ("kind = \"enum\"", "kind = \"text\"", "x.toml:12: `parameter.kind` is `text`; "),
        (
            "from = \"label.pool\"",
            "from = \"lable.pool\"",
            "x.toml:14: `from` is `lable.pool`; known are affected_user, attribute.NAME, label.NAME",
        ),
        ("base = \"app\"", "base = \"http://{pool}\"", "addresses stand in the server's configuration only"),
        (
            "path = \"/pools/{pool}/restart\"",
            "path = \"http://{pool}/\"",
            "scheme, host and user stand in the server's configuration",
        ),
        ("path = \"/pools/{pool}/restart\"", "path = \"/pools/p-{pool}\"", "a value fills the whole of it"),
        ("path = \"/pools/{pool}/restart\"", "path = \"/pools/../{pool}\"", "not `.` or `..`"),
        ("path = \"/pools/{pool}/restart\"", "path = \"/pools/{pool}?a=b\"", "a query stands in `[step.http.query]`"),
        ("path = \"/pools/{pool}/restart\"", "path = \"/pools/{free text}\"", "free text cannot be filled in"),
        (step, "argv = { program = \"/bin/{pool}\" }", "paths stand in the server's configuration only"),
        (
            step,
            "argv = { program = \"sh\", arguments = [\"-c restart {pool}\"] }",
            "an argument is fixed, or one value",
        ),
        (
            step,
            "argv = { program = \"p\" }\nhttp = { method = \"GET\", base = \"b\", path = \"/x\" }",
            "one thing a step: http and argv",
        ),
        (step, "", "nothing is done here; give one of http, argv, document, repair"),
        (
            step,
            "http = { method = \"POST\", base = \"app\", path = \"/x\", headers = { Host = \"{pool}\" } }",
            "the header `Host` is given by the server",
        ),
        (
            step,
            "http = { method = \"POST\", base = \"app\", path = \"/x\", body = { \"{pool}\" = 1 } }",
            "values fill strings, never keys",
        ),
        (
            step,
            "document = { collection = \"c\", id = \"{pool}\" }",
            "a document step has `delete = true` or a table `set`",
        ),
        ("fenced = true", "fenced = false", "needs `risk = \"high\"`"),
        ("fenced = true", "fenced = true\nretries = 9", "a whole number from 0 to 5"),
        ("policy = \"approve\"", auto, "a fix that runs by itself needs `[verify]`"),
        ("policy = \"approve\"", auto, "nobody could tell whether this happened"),
        (
            "risk = \"medium\"\npolicy = \"approve\"",
            "risk = \"high\"\npolicy = \"auto\"",
            "x.toml:3: a fix of high risk never runs by itself; did you mean `policy = \"approve\"`?",
        ),
        ("[[match]]", "limits = { every = \"5m\" }\n[[match]]", "out of bounds; want a span from 15m to 7d"),
        ("[[match]]", "limits = { open = 500 }\n[[match]]", "a whole number from 1 to 50"),
        (
            "[[match]]",
            "verify = { of = \"alert_quiet\", hold = \"10m\", within = \"1m\" }\n[[match]]",
            "this can never succeed",
        ),
        ("[[match]]", "runbook = \"http://x\"\n[[match]]", "want an address, `https://…`"),
        ("{pool}\"\nfenced", "it\"\nfenced", ""),
    ];
    let mut missed = Vec::new();
    for (from, to, wanted) in cases {
        assert!(GOOD.contains(from), "{from}");
        let found = problems(&GOOD.replacen(from, to, 1));
        let told = if wanted.is_empty() { found.is_empty() } else { found.iter().any(|one| one.contains(wanted)) };
        if !told {
            missed.push(format!("{to}\nwanted {wanted}\n{found:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
}

#[test]
fn an_effect_that_could_happen_twice_unseen_needs_high_risk() {
    let unfenced = GOOD.replace("fenced = true", "");
    assert!(!problems(&unfenced).is_empty());
    assert_eq!(problems(&unfenced.replace("medium", "high")), Vec::<String>::new());
    // The same that nothing unfenced is proposed by: what is checked here can be proposed there.
    assert!(!problems(&unfenced.replace("[[step]]", "[[step]]\nidempotent = true")).is_empty());
}

#[test]
fn a_probe_reads_only() {
    let probe = |method: &str| {
        format!(
            "{GOOD}\n[step.probe]\ntitle = \"Whether\"\nhttp = {{ method = \"{method}\", base = \"app\", path = \"/x\" }}\n\
             done = {{ status = 200 }}\n"
        )
    };
    assert_eq!(problems(&probe("GET")), Vec::<String>::new());
    assert!(problems(&probe("POST"))[0].contains("a probe reads only"));
}

#[test]
fn a_file_of_another_size_or_id_is_refused_as_a_whole() {
    assert!(problems(&"#".repeat(65 * 1024))[0].starts_with("x.toml:1: the file has"));
    assert!(parse("../x", "x.toml", GOOD).is_err() && parse("X", "x.toml", GOOD).is_err());
}

#[test]
fn whatever_is_cut_or_flipped_in_a_file_is_told_and_never_a_panic() {
    for at in 0..GOOD.len() {
        for other in ["", "{", "}", "\"", "\u{1b}", "9"] {
            let text = format!("{}{other}{}", &GOOD[..at], &GOOD[at + 1..]);
            if let Err(found) = parse("x", "x.toml", &text) {
                assert!(!found.is_empty(), "{text}");
                assert!(found.iter().all(|one| !one.to_string().contains('\u{1b}')), "{found:?}");
            }
        }
    }
}
