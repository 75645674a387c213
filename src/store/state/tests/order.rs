//! What is read in the order of its text, page by page: the order of bytes, on either engine and whatever
//! language the server was set up for.

use super::open;
use crate::base::ids::{AccountId, DepartmentId, PersonId};
use crate::base::{Lang, Secret, Timestamp};
use crate::identity::{Account, Role};
use crate::store::state::{NewAccount, StateStore};

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);

/// In the order of bytes, which is that of no language: capitals, points and digits stand otherwise there.
const IDS: [&str; 8] = ["B", "a-b", "a.b", "a1b", "a:b", "aB", "a_b", "ab"];

fn make(state: &StateStore, id: &str) {
    let account = Account {
        id: AccountId::parse(id).unwrap(),
        person: PersonId::parse(id).unwrap(),
        name: "张伟".into(),
        department: DepartmentId::parse("civil").unwrap(),
        roles: vec![Role::Applicant],
        email: None,
        lang: Lang::Zh,
        active: true,
    };
    let kept = Secret::new("kept".to_owned());
    let new = NewAccount { account: &account, password: &kept, until: None, code_secret: None };
    state.make_account(&new, "uid 0", NOW).unwrap();
}

#[test]
fn pages_by_text_are_whole_and_in_the_order_of_bytes() {
    let (state, _home) = open();
    // As they come.
    [3, 7, 0, 5, 1, 6, 2, 4].iter().for_each(|at: &usize| make(&state, IDS[*at]));
    let mut paged: Vec<String> = Vec::new();
    loop {
        let after = paged.last().cloned().unwrap_or_default();
        let page = state.accounts(None, &after, 3).unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page.iter().map(|profile| profile.account.id.to_string()));
    }
    assert_eq!(paged, IDS);
    let holders = state.holders(Role::Applicant, None).unwrap();
    assert_eq!(holders.iter().map(|account| account.id.as_str()).collect::<Vec<_>>(), IDS);
}
