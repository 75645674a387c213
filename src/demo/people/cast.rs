//! The people whom the printed examples name.
//!
//! Invariant: they are the first of every world, whatever the seed, so that an example pasted
//! from the documentation answers as it says.

use std::sync::Arc;

use time::Date;
use time::macros::date;

use super::{Custody, Household, Marriage, Person, Rental, Sex, Subsistence, Work, years_between};

/// 王秀兰, 76: receives the subsistence allowance with her unemployed son; the two declare 2,800
/// yuan a month, her pension. Rents public housing.
pub const RECIPIENT: &str = "11010519491231002X";

/// 刘建国, 42: serves a sentence and still receives the subsistence allowance.
pub const IN_CUSTODY: &str = "110105198406150033";

/// 陈静, 35: employed at 9,800 yuan a month, insured, owns a home; asks for nothing.
pub const OWNER: &str = "110105199103080423";

/// 王志强, 51: the unemployed son of [`RECIPIENT`].
pub const UNEMPLOYED: &str = "110105197508200519";

/// A valid number that belongs to nobody: no department has a record of it.
pub const NOBODY: &str = "650102197606150320";

/// Every number above.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    [RECIPIENT, IN_CUSTODY, OWNER, UNEMPLOYED, NOBODY].into_iter()
}

/// The people above, in that order, as of `today`.
pub fn cast(today: Date) -> Vec<Person> {
    let wangs = Arc::new(Household {
        size: 2,
        income: 2800,
        rural: false,
        address: "望河街道安康苑3号楼602室".into(),
        subsistence: Some(Subsistence::Receiving),
        rental: Some(Rental::Renting),
    });
    let liu = Arc::new(Household {
        size: 1,
        income: 0,
        rural: false,
        address: "长桥街道幸福里11号楼104室".into(),
        subsistence: Some(Subsistence::Receiving),
        rental: None,
    });
    let chen = Arc::new(Household {
        size: 1,
        income: 9800,
        rural: false,
        address: "北辰街道锦绣家园8号楼1503室".into(),
        subsistence: None,
        rental: None,
    });
    let pension = Work::Retired { pension: 2800, employee: true };
    let person = |id: &str, name: &str, sex, birth, household: &Arc<Household>, work| Person {
        id_number: id.to_owned(),
        name: name.to_owned(),
        sex,
        birth,
        age: years_between(birth, today),
        mobile: Some("13800138000".to_owned()),
        household: Arc::clone(household),
        work,
        marriage: Marriage::Never,
        custody: None,
        correction: false,
        homes: 0,
        ill: false,
        seed: 0,
    };
    vec![
        Person {
            ill: true,
            ..person(RECIPIENT, "王秀兰", Sex::Female, date!(1949 - 12 - 31), &wangs, pension)
        },
        Person {
            custody: Some(Custody::Serving),
            mobile: None,
            ..person(IN_CUSTODY, "刘建国", Sex::Male, date!(1984 - 06 - 15), &liu, Work::Outside)
        },
        Person {
            homes: 1,
            ..person(
                OWNER,
                "陈静",
                Sex::Female,
                date!(1991 - 03 - 08),
                &chen,
                Work::Employed { employer: 7, wage: 9800 },
            )
        },
        person(UNEMPLOYED, "王志强", Sex::Male, date!(1975 - 08 - 20), &wangs, Work::Unemployed),
    ]
}
