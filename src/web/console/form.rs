//! What a form sent, and what was wrong with it.
//!
//! The name of an input that belongs to a command is the JSON Pointer of its member: `/terms/basis`. So a
//! form becomes the body of the command without a word about the command here, and a fault, which names
//! a pointer, finds its input. What else a form sends (the token, the idempotency key) has a plain name.
//!
//! Invariant: nothing of a form is done before its token was found to be the session's; what was typed
//! is kept and shown again with the faults; all is bounded.

use std::collections::BTreeMap;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::frame::Frame;
use super::{draft, token};
use crate::app::{Call, PersonCaller};
use crate::base::{Code, Error, Result};
use crate::web::body::FormBody;
use crate::web::entrance::Arrival;
use crate::web::routes::Template;
use crate::web::server::Worker;

/// The most inputs that a form may have.
const MOST: usize = 2_000;
/// The longest name of an input, in bytes.
const LONGEST: usize = 128;
/// The most members that a name leads through: each is a step of [`Node`] into itself, so that whoever
/// wrote the name would else say how deep the stack must be.
const DEEPEST: usize = 8;
/// The name of the input that holds the token.
pub const TOKEN: &str = "token";
/// The name of the input by which a command that is sent twice is done once.
pub const KEY: &str = "key";

/// A form that has not been read yet.
pub struct Posted {
    req: HttpRequest,
}

/// The body of a form, left with its request until it is read.
struct Unread(FormBody);

/// What came with a form's token.
#[derive(Debug)]
pub enum Sent {
    /// A form of this session: it is to be done.
    Form(Form),
    /// What was typed before the session was begun: it is to be shown, and nothing is to be done.
    Draft(Form),
}

/// What a form sent.
#[derive(Debug, Clone, Default)]
pub struct Form {
    values: Vec<(String, String)>,
    faults: Vec<Fault>,
    /// The code of what was wrong with the whole.
    pub problem: Option<Code>,
}

/// Something that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The name of the input, or of what it stands in.
    pub name: String,
    /// What is wrong.
    pub code: Code,
    /// What was expected, where that is known.
    pub expected: Option<String>,
}

impl FromRequest for Posted {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(hold(req, payload).map(|()| Self { req: req.clone() }))
    }
}

/// Leaves the body with the request, for whoever reads it first: its handler, or, where nobody is
/// signed in any more, what keeps it.
///
/// # Errors
/// `internal` when the request did not come through the entrance.
pub fn hold(req: &HttpRequest, payload: &mut Payload) -> Result<()> {
    if *req.method() == Method::POST && !req.extensions().contains::<Unread>() {
        let unread = Unread(FormBody::of(req, payload)?);
        req.extensions_mut().insert(unread);
    }
    Ok(())
}

/// Reads the form that was left with the request. Whose it is, is not looked at.
///
/// # Errors
/// Those of a body.
pub async fn read(req: &HttpRequest) -> Result<Form> {
    let unread = req.extensions_mut().remove::<Unread>();
    let Unread(body) = unread.ok_or(Code::Internal)?;
    Form::parse(&body.read().await?)
}

impl Posted {
    /// Reads the form, if it is one of this session's. Another is recorded.
    ///
    /// # Errors
    /// `cross-site` when it has not the session's token; `too-large`; those of a body.
    pub async fn read(self, frame: &Frame) -> Result<Form> {
        match read(&self.req).await {
            Ok(form) if frame.is_token(form.value(TOKEN)) => Ok(form),
            Ok(_) => Err(self.refuse(Code::CrossSite).await),
            Err(error) => Err(self.refuse(error.code).await),
        }
    }

    /// Reads the form of a page that keeps what was typed: one of a session before, of the same person,
    /// is a draft.
    ///
    /// # Errors
    /// As for [`Posted::read`].
    pub async fn read_or_draft(self, frame: &Frame) -> Result<Sent> {
        let mut form = match read(&self.req).await {
            Ok(form) => form,
            Err(error) => return Err(self.refuse(error.code).await),
        };
        let own = frame.person.as_ref().map(|person| person.account.as_str());
        let sent = form.value(TOKEN);
        if frame.is_token(sent) && form.value(draft::NAME).is_empty() {
            return Ok(Sent::Form(form));
        }
        // Another site's page gets no form so far: that was looked at when the session was.
        if own.is_none() || token::named(sent) != own {
            return Err(self.refuse(Code::CrossSite).await);
        }
        form.retain(|name| name != draft::NAME && name != TOKEN);
        form.problem = Some(Code::SignInRequired);
        Ok(Sent::Draft(form))
    }

    /// Whoever is known answers for what was sent with that session.
    async fn refuse(self, code: Code) -> Error {
        let call = self.req.extensions().get::<Call<PersonCaller>>().cloned();
        let (worker, arrival) = match (Worker::of(&self.req), Arrival::of(&self.req)) {
            (Ok(worker), Ok(arrival)) => (worker, arrival),
            (Err(error), _) | (_, Err(error)) => return error,
        };
        let route = Template::of(&self.req).path;
        match call {
            Some(call) => worker.gateway.turned_away(&call, route, code).await,
            None => worker.gateway.refused_at_door(arrival.request_id, None, route, code).await,
        }
    }
}

impl Form {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let values: Vec<(String, String)> = form_urlencoded::parse(bytes)
            .take(MOST + 1)
            // A text area sends its line ends as mail has them.
            .map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n")))
            .collect();
        let leads_too_far =
            |name: &str| name.len() > LONGEST || name.bytes().filter(|byte| *byte == b'/').count() > DEEPEST;
        if values.len() > MOST || values.iter().any(|(name, _)| leads_too_far(name)) {
            return Err(Code::TooLarge.into());
        }
        Ok(Self { values, ..Self::default() })
    }

    /// The value of an input; empty where there is none.
    pub fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Every value of an input that may be sent several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Was the input sent with that value? For boxes and options.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|sent| sent == value)
    }

    /// Was an input of that name sent at all?
    pub fn sent(&self, name: &str) -> bool {
        self.values.iter().any(|(known, _)| known == name)
    }

    /// The name of a row: `/missing/3`. For templates, like the next.
    pub fn row(&self, list: &str, number: impl std::fmt::Display) -> String {
        format!("{list}/{number}")
    }

    /// The name of an input of a row: `/missing/3/note`.
    pub fn within(&self, row: &str, member: &str) -> String {
        format!("{row}/{member}")
    }

    /// Was the value sent by any input of the list? For boxes whose numbers may have moved.
    pub fn pairs_within(&self, list: &str, value: &str) -> bool {
        self.values.iter().any(|(name, sent)| name.starts_with(list) && sent == value)
    }

    /// Every input with its value.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Puts a value in the place of whatever the input has: to fill a form before it is shown.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        self.values.retain(|(known, _)| *known != name);
        self.values.push((name, value.into()));
    }

    /// Leaves out the inputs whose names do not pass.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.values.retain(|(name, _)| keep(name));
    }

    /// The idempotency key.
    pub fn key(&self) -> Option<String> {
        Some(self.value(KEY)).filter(|key| !key.is_empty()).map(str::to_owned)
    }

    /// The body of the command: every input that is named by a pointer and not empty. `typed` says what a
    /// value is where it is not text, by the pointer.
    pub fn body(&self, typed: impl Fn(&str, &str) -> Option<Value>) -> Body {
        let mut root = Node::default();
        for (name, value) in
            self.values.iter().filter(|(name, value)| name.starts_with('/') && !value.is_empty())
        {
            let value = typed(name, value).unwrap_or_else(|| Value::String(value.clone()));
            root.place(name.split('/').skip(1), value);
        }
        let mut names = BTreeMap::new();
        let value = root.settle("", "", &mut names);
        Body { value, names }
    }

    /// The same with what was wrong with it.
    pub fn with(mut self, error: &Error, body: &Body) -> Self {
        self.problem = Some(error.code);
        self.faults = error
            .invalid
            .iter()
            .map(|fault| Fault {
                name: body.name_of(&fault.pointer),
                code: fault.code,
                expected: fault.expected.clone(),
            })
            .collect();
        self
    }

    /// Everything that is wrong with it.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What is wrong with an input, or within it.
    pub fn faults_of(&self, name: &str) -> Vec<&Fault> {
        let within = |fault: &&Fault| {
            fault.name == name || fault.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
        };
        self.faults.iter().filter(within).collect()
    }

    /// Is anything wrong with an input, or within it?
    pub fn is_faulty(&self, name: &str) -> bool {
        !self.faults_of(name).is_empty()
    }
}

/// A form as the body of a command.
#[derive(Debug)]
pub struct Body {
    /// The body.
    pub value: Value,
    /// Where a member of an array stands in the form, where that is elsewhere than in the body.
    names: BTreeMap<String, String>,
}

impl Body {
    /// Its text.
    pub fn bytes(&self) -> Vec<u8> {
        // Texts, numbers and maps of them: this cannot fail.
        serde_json::to_vec(&self.value).unwrap_or_default()
    }

    /// The name of the input that a pointer into the body is about.
    fn name_of(&self, pointer: &str) -> String {
        let known = |at: usize| {
            let (head, rest) = pointer.split_at_checked(at)?;
            self.names.get(head).map(|name| format!("{name}{rest}"))
        };
        let ends = pointer.match_indices('/').map(|(at, _)| at).chain([pointer.len()]);
        ends.collect::<Vec<_>>().into_iter().rev().find_map(known).unwrap_or_else(|| pointer.to_owned())
    }
}

/// A member in the making: a value, or members of its own.
#[derive(Default)]
struct Node {
    value: Option<Value>,
    members: Vec<(String, Node)>,
}

impl Node {
    fn place<'a>(&mut self, mut path: impl Iterator<Item = &'a str>, value: Value) {
        let Some(next) = path.next() else {
            self.value = Some(value);
            return;
        };
        let at = self.members.iter().position(|(name, _)| name == next).unwrap_or_else(|| {
            self.members.push((next.to_owned(), Node::default()));
            self.members.len() - 1
        });
        if let Some((_, node)) = self.members.get_mut(at) {
            node.place(path, value);
        }
    }

    /// Its value. Members that are all numbered are an array, in the order of the numbers; where a number
    /// is missing the ones behind it move up.
    fn settle(self, at: &str, name: &str, names: &mut BTreeMap<String, String>) -> Value {
        if self.members.is_empty() {
            return self.value.unwrap_or_else(|| Value::Object(Map::new()));
        }
        let number = |(name, _): &(String, Node)| name.parse::<u16>().ok();
        if self.members.iter().all(|member| number(member).is_some()) {
            let mut members = self.members;
            members.sort_by_key(number);
            let settled = members.into_iter().enumerate().map(|(place, (number, node))| {
                let (at, name) = (format!("{at}/{place}"), format!("{name}/{number}"));
                names.insert(at.clone(), name.clone());
                node.settle(&at, &name, names)
            });
            return Value::Array(settled.collect());
        }
        let settled = self.members.into_iter().map(|(member, node)| {
            let value = node.settle(&format!("{at}/{member}"), &format!("{name}/{member}"), names);
            (member, value)
        });
        Value::Object(settled.collect())
    }
}

/// A whole number, where the text is one: for members that are numbers.
pub fn number(text: &str) -> Option<Value> {
    text.trim().parse::<u64>().ok().map(Value::from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn inputs_named_by_pointers_become_the_body_of_a_command() {
        let form = form("token=t&/note=a%0D%0Ab&/version=3&/empty=&/as/role=leader&/s/4=x&/s/10=z&/s/7=y");
        let body = form.body(|name, value| (name == "/version").then(|| number(value)).flatten());
        assert_eq!(
            body.value,
            json!({ "note": "a\nb", "version": 3, "as": { "role": "leader" }, "s": ["x", "y", "z"] })
        );
        assert!(form.sent("/empty") && form.has("/s/4", "x") && !form.has("/s/4", "y"));
    }

    #[test]
    fn a_fault_finds_its_input_where_the_numbers_have_moved_up() {
        let form = form(
            "/terms/fields/2/form=plain&/terms/fields/5/form=band&/terms/fields/5/reason=r&/terms/basis=x",
        );
        let body = form.body(|_, _| None);
        let faults = ["/terms/fields/1/reason", "/terms/basis", "/terms/fields/0", "/version"];
        let invalid = faults.map(|pointer| crate::base::Invalid {
            pointer: pointer.to_owned(),
            code: Code::MissingMember,
            expected: None,
        });
        let form = form.with(&Error::invalid(Code::InvalidRequest, invalid.to_vec()), &body);
        let names: Vec<&str> = form.faults().iter().map(|fault| fault.name.as_str()).collect();
        assert_eq!(names, ["/terms/fields/5/reason", "/terms/basis", "/terms/fields/2", "/version"]);
        assert!(form.is_faulty("/terms/fields/5") && !form.is_faulty("/terms/fields/2/form"));
        assert_eq!(form.value("/terms/basis"), "x", "what was typed is kept");
    }

    #[test]
    fn a_form_of_too_many_inputs_is_not_read() {
        let text = "a=&".repeat(MOST + 1);
        assert_eq!(Form::parse(text.as_bytes()).unwrap_err().code, Code::TooLarge);
    }

    #[test]
    fn a_form_whose_names_lead_too_far_is_not_read() {
        let deepest = "/1".repeat(DEEPEST);
        assert_eq!(form(&format!("{deepest}=x")).value(&deepest), "x");
        let escaped = "%2F".repeat(DEEPEST + 1);
        for name in [format!("{deepest}/1"), escaped, "a".repeat(LONGEST + 1)] {
            assert_eq!(Form::parse(name.as_bytes()).unwrap_err().code, Code::TooLarge, "{name}");
        }
    }
}
