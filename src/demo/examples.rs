//! What to try: the entries of `demo.json`, and the lines that the demo prints.
//!
//! Invariant: every entry answers with the status it names, on every world of any seed: they
//! speak of people who are in all of them (`people::cast`).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::applications;
use super::officials::{self, Official};
use super::people::cast;
use super::world::{STRANGER, World};

/// One request to try.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// Which client of `demo.json` sends it; none for no certificate.
    pub system: Option<&'static str>,
    /// Which account of `demo.json` sends it, signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<&'static str>,
    /// The HTTP method.
    pub method: &'static str,
    /// The path.
    pub path: String,
    /// The JSON body; null for none.
    pub body: Value,
    /// The status that answers.
    pub status: u16,
}

/// The file of the way from a refused query to a grant and back.
const TOUR: &str = "tour.sh";

#[derive(Serialize)]
struct Description<'a> {
    base_url: String,
    ops_url: String,
    ca: &'a str,
    audit_public_key: &'a str,
    clients: BTreeMap<&'a str, Client>,
    accounts: Vec<Official>,
    tour: &'a str,
    examples: Vec<Example>,
}

#[derive(Serialize)]
struct Client {
    cert: String,
    key: String,
    department: String,
}

/// Writes `demo.json`.
pub(super) fn describe(world: &World) -> io::Result<()> {
    let stranger = (STRANGER, "");
    let systems = world.systems.iter().map(|(s, d)| (s.as_str(), d.as_str())).chain([stranger]);
    let clients = systems.map(|(system, department)| {
        let client = Client {
            cert: format!("clients/{system}.pem"),
            key: format!("clients/{system}.key"),
            department: department.to_owned(),
        };
        (system, client)
    });
    let description = Description {
        base_url: base_url(world),
        ops_url: format!("http://127.0.0.1:{}", world.ports.ops),
        ca: "ca/systems/ca.pem",
        audit_public_key: "keys/audit.vkey",
        clients: clients.collect(),
        accounts: officials::all(),
        tour: TOUR,
        examples: [examples(), people_examples(world)?].concat(),
    };
    let tour = include_str!("tour.sh").replace("BASE", &base_url(world));
    let tour = tour.replace("UNTIL", &applications::until(world.today).to_string());
    fs::write(world.dir.join(TOUR), tour)?;
    fs::write(world.dir.join("demo.json"), serde_json::to_vec_pretty(&description)?)
}

/// How to run this program from anywhere.
fn program() -> String {
    std::env::current_exe().map_or_else(|_| "sluice".to_owned(), |path| path.display().to_string())
}

fn base_url(world: &World) -> String {
    format!("https://localhost:{}", world.ports.gateway)
}

/// The lines that are printed once everything answers.
pub(super) fn invitation(world: &World, dir: &Path) -> String {
    let dir = dir.display();
    let base = base_url(world);
    let query = |system: &str, dataset: &str, body: Value| {
        format!("  ask {system} {base}/v1/datasets/{dataset}/query --json '{body}'")
    };
    let good = query("service.onestop", "civil.subsistence", subsistence(&["status", "monthly_income"]));
    let refused = query("service.onestop", "hrss.employment", subsistence(&["status", "employer_name"]));
    format!(
        "Sluice serves {base} (operators: http://127.0.0.1:{ops}). Stop with Ctrl-C. In another shell:
  cd {dir}; ask() {{ c=$1; shift; curl -sS --cacert ca/systems/ca.pem --cert clients/$c.pem --key clients/$c.key \"$@\"; echo; }}
# Is this person on the list, and is the income below the line? A predicate, not the income:
{good}
# Whom somebody works for is no business of housing aid: refused, with the rule that says so:
{refused}
# What needs a grant: refused, applied for, voted on by three, answered, revoked, refused again:
  sh tour.sh
# The console, in a browser: {base}/console; {program} demo --code civil.head says how an official signs in now.
# Nothing in the log was changed or removed (demo.json has more to try):
  {program} audit verify --db data --pubkey keys/audit.vkey --checkpoint second-place/checkpoint",
        program = program(),
        ops = world.ports.ops,
    )
}

fn subsistence(fields: &[&str]) -> Value {
    json!({
        "purpose": "housing-aid.review", "case": "QZ-2026-000123", "operator": "hc-0231",
        "subjects": [{ "id_number": cast::RECIPIENT }], "fields": fields,
    })
}

fn custody() -> Value {
    json!({
        "purpose": "subsistence.recheck", "case": "FC-2026-0042", "operator": "mz-017",
        "subjects": [{ "id_number": cast::IN_CUSTODY }, { "id_number": cast::RECIPIENT }],
        "fields": [{ "field": "in_custody", "form": "predicate" }],
    })
}

/// `subsistence`, with one member changed.
fn with(member: &str, value: Value) -> Value {
    let mut body = subsistence(&["status"]);
    if let Some(members) = body.as_object_mut() {
        members.insert(member.to_owned(), value);
    }
    body
}

fn query(title: &'static str, system: &'static str, dataset: &str, body: Value, status: u16) -> Example {
    let path = format!("/v1/datasets/{dataset}/query");
    Example { title, system: Some(system), account: None, method: "POST", path, body, status }
}

fn get(title: &'static str, system: Option<&'static str>, path: &str, status: u16) -> Example {
    Example { title, system, account: None, method: "GET", path: path.to_owned(), body: Value::Null, status }
}

fn examples() -> Vec<Example> {
    const DESK: &str = "service.onestop";
    const LIST: &str = "civil.subsistence";
    vec![
        query(
            "On the list, and below the line: a value and a predicate",
            DESK,
            LIST,
            subsistence(&["status", "monthly_income"]),
            200,
        ),
        query(
            "The least revealing form: the name masked",
            DESK,
            LIST,
            subsistence(&["name", "household_size"]),
            200,
        ),
        query(
            "What may be given, and why the rest is not",
            DESK,
            LIST,
            {
                let mut body = subsistence(&["status", "bank_card"]);
                if let Some(members) = body.as_object_mut() {
                    members.insert("on_refusal".into(), "omit".into());
                }
                body
            },
            200,
        ),
        query(
            "Who is in prison, from a list that stays secret",
            "civil.benefits",
            "justice.custody",
            custody(),
            200,
        ),
        query(
            "From a service that nobody has touched in ten years",
            "housing.aid",
            "housing.ownership",
            json!({
                "purpose": "housing-aid.review", "case": "GZ-2026-0007", "operator": "zj-112",
                "subjects": [{ "id_number": cast::OWNER }], "fields": ["homes"],
            }),
            200,
        ),
        query(
            "Somebody without a record: not found, at the same price",
            DESK,
            LIST,
            with("subjects", json!([{ "id_number": cast::OWNER }])),
            200,
        ),
        query(
            "A field that a rule denies for good",
            DESK,
            "hrss.employment",
            subsistence(&["status", "employer_name"]),
            403,
        ),
        query(
            "A form that reveals more than is permitted",
            DESK,
            LIST,
            with("fields", json!([{ "field": "name", "form": "plain" }])),
            403,
        ),
        query(
            "A comparison with a constant of one's own",
            DESK,
            LIST,
            with(
                "fields",
                json!([{ "field": "monthly_income", "form": "predicate", "op": "<", "value": 2801 }]),
            ),
            403,
        ),
        query(
            "A field that needs a grant, and where to apply",
            "housing.aid",
            LIST,
            subsistence(&["mobile"]),
            403,
        ),
        query("A secret list, to somebody who may not know of it", DESK, "justice.custody", custody(), 404),
        query(
            "A purpose that the dataset does not serve",
            DESK,
            LIST,
            with("purpose", json!("curiosity")),
            422,
        ),
        query("A field that does not exist", DESK, LIST, subsistence(&["salary"]), 422),
        query(
            "A number with a wrong check digit",
            DESK,
            LIST,
            with("subjects", json!([{ "id_number": "110105194912310021" }])),
            422,
        ),
        query("A member that the interface does not have", DESK, LIST, with("urgent", json!(true)), 422),
        query(
            "A good certificate whose key nobody registered",
            STRANGER,
            LIST,
            subsistence(&["status"]),
            401,
        ),
        get("No certificate", None, "/v1/datasets", 401),
        get("The catalogue, as this system may see it", Some(DESK), "/v1/datasets", 200),
        get(
            "One dataset: what may be asked, what must be applied for",
            Some(DESK),
            "/v1/datasets/civil.subsistence",
            200,
        ),
        get("The log's newest checkpoint", Some("audit.office"), "/v1/audit/checkpoint", 200),
        get(
            "The first record of the log, with its proof",
            Some("audit.office"),
            "/v1/audit/records/0/proof",
            200,
        ),
        get(
            "Refusals, for the auditor",
            Some("audit.office"),
            "/v1/audit/records?outcome=refused&limit=5",
            200,
        ),
        get("The log, to somebody who is no auditor", Some(DESK), "/v1/audit/records", 403),
        Example {
            title: "Who asked about me? On behalf of a citizen",
            system: Some("citizen.portal"),
            account: None,
            method: "POST",
            path: "/v1/subjects/history".into(),
            body: json!({ "identifier": "resident-id", "value": cast::RECIPIENT, "case": "GR-2026-0001" }),
            status: 200,
        },
        get("The interface, described (OpenAPI 3.1)", None, "/openapi.json", 200),
    ]
}

/// What people may see and do; none of it changes anything.
fn people_examples(world: &World) -> io::Result<Vec<Example>> {
    let filed = applications::filed(world)?;
    let by = |title, account, path: &str, status| Example {
        account: Some(account),
        ..get(title, None, path, status)
    };
    let vote = Example {
        method: "POST",
        // Drafted, submitted, consented to, approved by one.
        body: json!({ "version": 4 }),
        ..by(
            "Nobody votes on what the own department applied for",
            "service.lead",
            &format!("/v1/applications/{}/approve", filed.in_review),
            403,
        )
    };
    Ok(vec![
        query(
            "A field that was applied for, and granted",
            "housing.aid",
            "civil.subsistence",
            subsistence(&["monthly_allowance"]),
            200,
        ),
        by("What waits for the section head", "civil.head", "/v1/applications?waiting=me", 200),
        by(
            "An application in review: its clock, and what may be done",
            "civil.leader",
            &format!("/v1/applications/{}", filed.in_review),
            200,
        ),
        by(
            "One that was sent back, with all that is missing",
            "hrss.applicant",
            &format!("/v1/applications/{}/events", filed.returned),
            200,
        ),
        by(
            "One of other departments",
            "hrss.applicant",
            &format!("/v1/applications/{}", filed.in_review),
            404,
        ),
        vote,
        by("The grants of the own department", "housing.lead", "/v1/grants", 200),
        by("Who works here, for an administrator", "audit.system", "/v1/people", 200),
        by("Who works here, for anybody", "housing.applicant", "/v1/people", 403),
        get("People's pages, without a session", Some("housing.aid"), "/v1/applications", 401),
    ])
}
