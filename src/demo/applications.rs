//! The applications of a demo: one in review, one sent back, one that came to a grant.
//!
//! Invariant: they are made by the command line that everybody has, each step by the official whose
//! it is; nothing is written past the rules. They are made once, at the first start.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Date, Duration};

use super::children::Children;
use super::world::World;

const FILED: &str = "applications.json";

/// Their ids.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Filed {
    /// A grant came of it: housing knows the band of the allowance.
    pub active: String,
    /// The provider's clock runs; the section head has approved.
    pub in_review: String,
    /// It waits for the applicant.
    pub returned: String,
}

/// What was filed.
///
/// # Errors
/// When the file cannot be read.
pub fn filed(world: &World) -> io::Result<Filed> {
    Ok(serde_json::from_slice(&fs::read(world.dir.join(FILED))?)?)
}

/// The last day of what is asked for here.
pub fn until(today: Date) -> Date {
    today.saturating_add(Duration::days(365))
}

/// Files them at the gateway, which runs; if that was done before, nothing is.
///
/// # Errors
/// When a command fails.
pub async fn file(world: &World, children: &Children) -> io::Result<()> {
    if world.dir.join(FILED).exists() {
        return Ok(());
    }
    let office = Office { world, children };
    let active =
        office.consented("housing", "housing.aid", "housing-aid.review", "monthly_allowance", "band").await?;
    for who in ["civil.head", "civil.leader", "civil.lead"] {
        office.give(who, &active, "approve", None).await?;
    }
    office.give("housing.lead", &active, "accept", None).await?;

    let in_review =
        office.consented("service", "service.onestop", "livelihood.review", "id_number", "mask").await?;
    office.give("civil.head", &in_review, "approve", None).await?;

    let returned = office
        .consented("hrss", "hrss.pensions", "employment-aid.review", "monthly_allowance", "band")
        .await?;
    let missing = json!({ "missing": [
        { "pointer": "/terms/basis", "note": "请写明具体条款" },
        { "pointer": "/terms/scope", "note": "请列明使用科室" },
    ] });
    office.give("civil.head", &returned, "return", Some(missing)).await?;
    let filed = Filed { active, in_review, returned };
    fs::write(world.dir.join(FILED), serde_json::to_vec_pretty(&filed)?)
}

struct Office<'a> {
    world: &'a World,
    children: &'a Children,
}

impl Office<'_> {
    /// An application for one field of the subsistence list, written, handed in, and consented to.
    async fn consented(
        &self,
        department: &str,
        system: &str,
        purpose: &str,
        field: &str,
        form: &str,
    ) -> io::Result<String> {
        let terms = json!({
            "dataset": "civil.subsistence", "purpose": purpose, "basis": "《社会救助暂行办法》",
            "scenario": "资格审核", "scope": "业务经办人员", "mode": "service", "systems": [system],
            "fields": [{ "field": field, "form": form, "reason": "审核所需" }],
            "per_day": 200, "distinct_per_day": 100, "until": until(self.world.today).to_string(),
        });
        let applicant = format!("{department}.applicant");
        let drafted = self.tell(&applicant, &["draft"], Some(json!({ "terms": terms }))).await?;
        let id = drafted.get("application").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.give(&applicant, &id, "submit", None).await?;
        self.give(&format!("{department}.lead"), &id, "consent", None).await?;
        Ok(id)
    }

    async fn give(&self, who: &str, id: &str, command: &str, members: Option<Value>) -> io::Result<()> {
        self.tell(who, &["give", id, command], members).await.map(|_| ())
    }

    async fn tell(&self, who: &str, command: &[&str], body: Option<Value>) -> io::Result<Value> {
        let file = self.world.dir.join("body.json");
        let url = format!("https://localhost:{}", self.world.ports.gateway);
        let (cert, key) = (format!("people/{who}.pem"), format!("people/{who}.key"));
        let mut arguments = [&["application"], command].concat();
        arguments.extend(["--url", &url, "--cert", &cert, "--key", &key, "--ca", "ca/systems/ca.pem"]);
        if let Some(body) = &body {
            fs::write(&file, body.to_string())?;
            arguments.extend(["--body", "body.json"]);
        }
        let said = self.children.run(&arguments, &self.world.dir).await?;
        if body.is_some() {
            fs::remove_file(file)?;
        }
        Ok(serde_json::from_slice(&said)?)
    }
}
