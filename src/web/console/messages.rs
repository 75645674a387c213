//! The words of the pages, in both languages: `messages/{zh-CN,en}/*.toml`, built in.
//!
//! A text's key is the name of its file and its own: `title` of `inbox.toml` is `inbox.title`. `{0}` and
//! `{1}` in a text are filled in. Invariant: both languages have the same keys with the same gaps, and
//! every key that a template or a source names is there (tests). A key without a text shows as itself.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};

use super::moment::Moment;
use super::visible::visible;
use crate::base::{Code, Lang};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/web/console/messages");

type Catalogue = BTreeMap<String, String>;

static ZH: LazyLock<Catalogue> = LazyLock::new(|| read(Lang::Zh));
static EN: LazyLock<Catalogue> = LazyLock::new(|| read(Lang::En));

/// The words in one language.
#[derive(Debug, Clone, Copy)]
pub struct Messages(Lang);

impl Messages {
    /// In that language.
    pub fn new(lang: Lang) -> Self {
        Self(lang)
    }

    /// The language.
    pub fn lang(&self) -> Lang {
        self.0
    }

    /// Its tag (BCP 47).
    pub fn tag(&self) -> &'static str {
        self.0.tag()
    }

    /// Is it Chinese?
    pub fn is_zh(&self) -> bool {
        self.0 == Lang::Zh
    }

    /// The text of a key.
    pub fn t<'a>(&self, key: &'a str) -> &'a str {
        self.known(key).unwrap_or(key)
    }

    /// The text of a key, if there is one.
    pub fn known(&self, key: &str) -> Option<&'static str> {
        let catalogue = match self.0 {
            Lang::Zh => &*ZH,
            Lang::En => &*EN,
        };
        catalogue.get(key).map(String::as_str)
    }

    /// The text for a name of ours, such as a state or a role: `state.in-review`. A name without a text
    /// shows as itself.
    pub fn of(&self, group: &str, name: &str) -> String {
        self.known(&format!("{group}.{name}")).unwrap_or(name).to_owned()
    }

    /// The text of a key with its gap filled.
    pub fn fill(&self, key: &str, what: impl Display) -> String {
        self.t(key).replace("{0}", &what.to_string())
    }

    /// The text of a key with both its gaps filled.
    pub fn fill2(&self, key: &str, first: impl Display, second: impl Display) -> String {
        // The second gap first: what fills the first may hold anything.
        self.t(key)
            .split("{0}")
            .map(|part| part.replace("{1}", &second.to_string()))
            .collect::<Vec<_>>()
            .join(&first.to_string())
    }

    /// Which of how many a page has.
    pub fn shown(&self, first: &usize, last: &usize, all: &usize) -> String {
        let span = format!("{}–{}", self.number(first), self.number(last));
        self.fill2("base.shown", span, self.number(all))
    }

    /// What a problem code says, in a few words.
    pub fn title(&self, code: &str) -> &'static str {
        code_named(code).map_or("", |code| code.title(self.0))
    }

    /// What to do about a problem code.
    pub fn detail(&self, code: &str) -> &'static str {
        code_named(code).map_or("", |code| code.detail(self.0))
    }

    /// What is wrong with an input, for whoever typed into it: the code's own text speaks to programs.
    pub fn fault(&self, code: &Code) -> &'static str {
        self.known(&format!("fault.{}", code.as_str())).unwrap_or_else(|| code.detail(self.0))
    }

    /// What is wrong with a whole form, in a few words.
    pub fn wrong(&self, code: &Code) -> &'static str {
        self.known(&format!("wrong.{}", code.as_str())).unwrap_or_else(|| code.title(self.0))
    }

    /// What to do about it.
    pub fn mend(&self, code: &Code) -> &'static str {
        self.known(&format!("mend.{}", code.as_str())).unwrap_or_else(|| code.detail(self.0))
    }

    /// What an input is called, by its name: `member.terms-basis` for `/terms/basis`, with the number of
    /// the one that is meant where there are several.
    pub fn member(&self, name: &str) -> String {
        let (numbers, words): (Vec<&str>, Vec<&str>) = name
            .split('/')
            .filter(|part| !part.is_empty())
            .partition(|part| part.bytes().all(|b| b.is_ascii_digit()));
        let called = self.known(&format!("member.{}", words.join("-"))).unwrap_or(name);
        match numbers.first().and_then(|number| number.parse::<u32>().ok()) {
            Some(number) => format!("{called} ({})", number + 1),
            None => called.to_owned(),
        }
    }

    /// A text of somebody's, with what cannot be seen made visible.
    pub fn visible(&self, text: &str) -> String {
        visible(text)
    }

    /// How many working days are left, or how many it is late.
    pub fn days_left(&self, left: impl Display) -> String {
        let left = left.to_string();
        match left.strip_prefix('-') {
            Some(late) => self.fill("application.overdue", late),
            None => self.fill("application.left", left),
        }
    }

    /// A sign for a state, so that it is not told by colour alone.
    pub fn sign(&self, state: &str) -> &'static str {
        match state {
            "active" => "✓",
            "refused" | "revoked" | "lapsed" => "✕",
            "suspended" => "‖",
            "returned" => "↩",
            "closed" | "expired" | "withdrawn" => "■",
            "draft" => "✎",
            _ => "●",
        }
    }

    /// A moment as an answer has it (RFC 3339, UTC).
    pub fn moment(&self, at: &str) -> Moment {
        Moment::of(at)
    }

    /// A whole number with its digits in groups.
    pub fn number(&self, number: impl Display) -> String {
        let digits = number.to_string();
        let first = digits.len() % 3;
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && at % 3 == first && !grouped.ends_with('-') {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped
    }
}

fn code_named(name: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.as_str() == name)
}

/// Every file of a language. The files are built in and read by a test: a fault cannot come up later.
fn read(lang: Lang) -> Catalogue {
    let mut catalogue = Catalogue::new();
    let files = FILES.get_dir(lang.tag()).into_iter().flat_map(Dir::files);
    for file in files {
        let group = file.path().file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let texts = file.contents_utf8().and_then(|text| toml::from_str::<Catalogue>(text).ok());
        for (key, text) in texts.unwrap_or_default() {
            catalogue.insert(format!("{group}.{key}"), text);
        }
    }
    catalogue
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::approval::{State, command::Kind};
    use crate::catalogue::{Class, Form, Level};
    use crate::identity::Role;

    #[test]
    fn both_languages_have_the_same_keys_with_the_same_gaps() {
        for file in [Lang::Zh, Lang::En].iter().flat_map(|lang| FILES.get_dir(lang.tag()).unwrap().files()) {
            let text = file.contents_utf8().unwrap();
            toml::from_str::<Catalogue>(text).unwrap_or_else(|e| panic!("{}: {e}", file.path().display()));
        }
        let keys = |catalogue: &Catalogue| catalogue.keys().cloned().collect::<BTreeSet<_>>();
        assert!(ZH.len() > 50);
        assert_eq!(
            keys(&ZH).symmetric_difference(&keys(&EN)).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "keys that one language lacks"
        );
        for (key, zh) in &*ZH {
            for gap in ["{0}", "{1}", "{2}"] {
                assert_eq!(zh.contains(gap), EN[key].contains(gap), "{gap} in {key}");
            }
            assert!(!zh.trim().is_empty() && !EN[key].trim().is_empty(), "{key}");
        }
    }

    /// The keys that templates and sources name: `t("…")`, `fill("…"`, and the like.
    #[test]
    fn every_key_that_is_named_has_a_text() {
        let mut missing = Vec::new();
        let mut named = 0;
        for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/console")) {
            let text = fs::read_to_string(&path).unwrap();
            for call in [".t(\"", ".fill(\"", ".fill2(\"", "\"nav."] {
                for (at, found) in text.match_indices(call) {
                    let from = if call == "\"nav." { at + 1 } else { at + found.len() };
                    let key = text[from..].split('"').next().unwrap();
                    named += 1;
                    if !EN.contains_key(key) {
                        missing.push(format!("{}: {key}", path.display()));
                    }
                }
            }
        }
        assert!(named > 50, "{named}");
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn every_name_of_ours_that_is_shown_has_a_text() {
        let names = |group: &'static str, names: Vec<&'static str>| {
            names.into_iter().map(move |name| format!("{group}.{name}"))
        };
        let all = names("role", Role::ALL.map(Role::as_str).to_vec())
            .chain(names("state", State::ALL.map(State::as_str).to_vec()))
            .chain(names("form", Form::LADDER.map(Form::as_str).to_vec()))
            .chain(names("command", Kind::OF_PEOPLE.map(Kind::as_str).to_vec()))
            .chain(names("said", Kind::OF_PEOPLE.map(Kind::as_str).to_vec()))
            .chain(names(
                "class",
                [Class::Unconditional, Class::Conditional, Class::Withheld].map(Class::as_str).to_vec(),
            ))
            .chain(names(
                "level",
                [Level::Public, Level::Internal, Level::Sensitive, Level::Core].map(Level::as_str).to_vec(),
            ));
        let missing: Vec<String> = all.filter(|key| !EN.contains_key(key)).collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn gaps_are_filled_with_what_is_given_and_no_more() {
        let m = Messages::new(Lang::En);
        assert_eq!(m.t("there.is.none"), "there.is.none");
        assert_eq!(m.fill2("{0} of {1}", "{1}", 7), "{1} of 7");
        assert_eq!(m.number(1_234_567), "1,234,567");
        assert_eq!(
            (m.number(999), m.number(-1000), m.number(0)),
            ("999".into(), "-1,000".into(), "0".into())
        );
    }

    fn files(dir: &Path) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| match path.is_dir() {
                true => files(&path),
                false => vec![path],
            })
            .filter(|path| path.extension().is_some_and(|e| e == "rs" || e == "html"))
            .filter(|path| !path.ends_with("messages.rs"))
            .collect()
    }
}
