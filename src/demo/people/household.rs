//! Households: who lives together, of what age, on what income.
//!
//! Invariant: facts follow from one another in one order (ages, then custody, then work, then
//! income, then what the household may claim and owns), so that records agree across departments.

use std::collections::HashSet;
use std::sync::Arc;

use time::{Date, Duration};

use super::names::{self, Family};
use super::random::Random;
use super::{
    Custody, Household, Marriage, Person, Rental, Sex, Subsistence, Work, plus_months, years_between,
};
use crate::catalogue::identifier::resident_check_digit;

/// Subsistence standard of the demo's district, yuan per head and month.
pub(super) const STANDARD: u32 = 1450;

/// Number of employers in the demo.
const EMPLOYERS: u32 = 400;

/// Divisions where people of the district were first registered: mostly its own, some from far.
const BORN_IN: [&str; 12] = [
    "110105", "110105", "110105", "110105", "110101", "110108", "130102", "320102", "370202", "410105",
    "440306", "510104",
];

const STREETS: [&str; 10] = [
    "望河街道",
    "清源街道",
    "东风里街道",
    "长桥街道",
    "杏林街道",
    "北辰街道",
    "和顺街道",
    "梧桐街道",
    "双塔乡",
    "柳林乡",
];

const ESTATES: [&str; 8] =
    ["安康苑", "幸福里", "锦绣家园", "朝晖小区", "枫林小区", "翠竹园", "民乐村", "滨河新村"];

/// Makes households one after another; no ID number twice.
pub(super) struct Register {
    random: Random,
    today: Date,
    ids: HashSet<String>,
    serving: u32,
}

/// A member before anything but sex, age and place in the household is known.
#[derive(Clone, Copy)]
struct Member {
    sex: Sex,
    age: u32,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Head,
    Spouse,
    Child,
    Parent,
}

impl Register {
    /// `taken` are ID numbers that nobody may be given.
    pub(super) fn new(seed: u64, today: Date, taken: HashSet<String>) -> Self {
        Self { random: Random::new(seed), today, ids: taken, serving: 0 }
    }

    /// The next household, of at most `room` members and at least one.
    pub(super) fn household(&mut self, room: usize) -> Vec<Person> {
        let mut members = self.members();
        if members.len() > room {
            members.truncate(1);
        }
        let family = names::family(&mut self.random);
        let mut people: Vec<Person> = members.iter().map(|member| self.person(*member, family)).collect();
        self.marry(&members, &mut people);
        self.settle(&mut people);
        people
    }

    fn members(&mut self) -> Vec<Member> {
        let random = &mut self.random;
        let kind = random.below(100);
        let sex = if random.per_mille(520) { Sex::Male } else { Sex::Female };
        let age = match kind {
            0..25 => random.between(20, 88),
            25..50 => random.between(25, 84),
            50..85 => random.between(26, 58),
            _ => random.between(28, 52),
        };
        let mut members = vec![Member { sex, age, place: Place::Head }];
        if matches!(kind, 25..85 | 93..) {
            let sex = if sex == Sex::Male { Sex::Female } else { Sex::Male };
            let age = random.between((age - 3).max(24), age + 3);
            members.push(Member { sex, age, place: Place::Spouse });
        }
        if kind >= 50 {
            let oldest = members.iter().map(|member| member.age).min().unwrap_or(age) - 22;
            for _ in 0..1 + random.below(100) / 55 {
                let sex = if random.per_mille(515) { Sex::Male } else { Sex::Female };
                members.push(Member { sex, age: random.between(0, oldest.min(24)), place: Place::Child });
            }
        }
        if kind >= 93 {
            let sex = if random.per_mille(350) { Sex::Male } else { Sex::Female };
            members.push(Member { sex, age: random.between(age + 23, age + 34), place: Place::Parent });
        }
        members
    }

    fn person(&mut self, member: Member, family: Family) -> Person {
        // Whoever marries into a family keeps the own surname.
        let family = match member.place {
            Place::Spouse => names::family(&mut self.random),
            _ => family,
        };
        let random = &mut self.random;
        let name = names::full(random, family, member.sex);
        let youngest = plus_months(self.today, -12 * i32::try_from(member.age).unwrap_or(0));
        let birth = random.day(plus_months(youngest, -12) + Duration::DAY, youngest);
        let adult = (18..=70).contains(&member.age);
        let odds = if member.sex == Sex::Male { 14 } else { 2 };
        let custody = (adult && member.age >= 22 && random.per_mille(odds))
            .then(|| if random.per_mille(700) { Custody::Serving } else { Custody::Released });
        let correction = adult && custody.is_none() && random.per_mille(odds / 2);
        let mobile = (member.age >= 12 && custody != Some(Custody::Serving) && random.per_mille(970))
            .then(|| mobile(random));
        let ill = random.per_mille(if member.age > 60 { 14 } else { 4 });
        let seed = random.next();
        Person {
            id_number: self.id_number(birth, member.sex),
            name,
            sex: member.sex,
            birth,
            age: years_between(birth, self.today),
            mobile,
            household: Arc::new(Household::default()),
            work: self.work(member, custody),
            marriage: Marriage::Never,
            custody,
            correction,
            homes: 0,
            ill,
            seed,
        }
    }

    /// A valid number that nobody else has: the 17th digit is odd for men (GB 11643).
    fn id_number(&mut self, birth: Date, sex: Sex) -> String {
        loop {
            let division = self.random.pick(&BORN_IN);
            let serial = self.random.below(500) * 2 + u32::from(sex == Sex::Male);
            let (year, month, day) = (birth.year(), birth.month() as u8, birth.day());
            let mut id = format!("{division}{year:04}{month:02}{day:02}{serial:03}");
            id.extend(resident_check_digit(&id));
            if self.ids.insert(id.clone()) {
                return id;
            }
        }
    }

    fn work(&mut self, member: Member, custody: Option<Custody>) -> Work {
        let random = &mut self.random;
        let retires_at = if member.sex == Sex::Male { 60 } else { 55 };
        if member.age >= retires_at {
            let employee = random.per_mille(650);
            let pension = if employee { random.skewed(1800, 9000) } else { random.skewed(220, 900) };
            return Work::Retired { pension, employee };
        }
        let studies = member.age < 18 || member.age < 23 && random.per_mille(600);
        if studies || custody == Some(Custody::Serving) {
            return Work::Outside;
        }
        match random.below(100) {
            0..70 => Work::Employed { employer: random.below(EMPLOYERS), wage: random.skewed(2540, 36_000) },
            70..82 => Work::SelfEmployed { income: random.skewed(1200, 20_000) },
            82..90 => Work::Unemployed,
            _ => Work::Outside,
        }
    }

    fn marry(&mut self, members: &[Member], people: &mut [Person]) {
        if members.get(1).is_some_and(|second| second.place == Place::Spouse) {
            let [head, spouse, ..] = people else { return };
            // Marriage is open to men from 22 and women from 20.
            let of_age = plus_months(head.birth.max(spouse.birth), 12 * 22);
            let on = self.random.day(of_age, plus_months(of_age, 96).min(self.today));
            let to = |other: &Person| Marriage::Married {
                name: other.name.clone(),
                id_number: other.id_number.clone(),
                on,
            };
            (head.marriage, spouse.marriage) = (to(spouse), to(head));
        } else if let Some(head) = people.first_mut().filter(|head| head.age >= 26)
            && self.random.per_mille(220)
        {
            let from = plus_months(head.birth, 12 * 25);
            head.marriage = Marriage::Divorced(self.random.day(from, self.today));
        }
    }

    /// Income, and what follows from it for the household as a whole.
    fn settle(&mut self, people: &mut [Person]) {
        let random = &mut self.random;
        let size = u32::try_from(people.len()).unwrap_or(1);
        let earned: u32 = people.iter().map(|person| person.work.income()).sum();
        let serving = people.iter().any(|person| person.custody == Some(Custody::Serving));
        self.serving += u32::from(serving);
        // Every fourth household of a prisoner declares little and was never looked at again.
        let unnoticed = serving && self.serving.is_multiple_of(4);
        let income = if unnoticed { earned.min(STANDARD * size / 2) } else { earned };
        let poor = income < STANDARD * size;
        let subsistence = match random.below(100) {
            _ if unnoticed => Some(Subsistence::Receiving),
            0..30 if poor => Some(Subsistence::Receiving),
            30..32 if poor => Some(Subsistence::Suspended),
            32..36 if poor => Some(Subsistence::Ended),
            0..1 => Some(Subsistence::Ended),
            _ => None,
        };
        let owns = random.per_mille(if subsistence.is_some() { 120 } else { 350 + 80 * size.min(4) });
        let rental = match random.below(100) {
            _ if owns => None,
            0..35 if subsistence.is_some() => Some(Rental::Renting),
            35..50 if subsistence.is_some() => Some(Rental::Waiting),
            0..3 => Some(Rental::Renting),
            3..5 => Some(Rental::Waiting),
            _ => None,
        };
        let rural = random.per_mille(150);
        let household = Household { size, income, rural, address: address(random), subsistence, rental };
        let household = Arc::new(household);
        let homes = if owns { 1 + u8::from(random.per_mille(140)) } else { 0 };
        for (place, person) in people.iter_mut().enumerate() {
            person.household = Arc::clone(&household);
            person.homes = if place == 0 && person.age >= 24 { homes } else { 0 };
        }
    }
}

impl Work {
    /// Yuan per month.
    fn income(self) -> u32 {
        match self {
            Work::Outside | Work::Unemployed => 0,
            Work::Employed { wage, .. } => wage,
            Work::SelfEmployed { income } => income,
            Work::Retired { pension, .. } => pension,
        }
    }
}

fn mobile(random: &mut Random) -> String {
    let prefix =
        random.pick(&["130", "135", "138", "139", "150", "158", "159", "177", "186", "188", "189", "199"]);
    format!("{prefix}{:08}", random.below(100_000_000))
}

fn address(random: &mut Random) -> String {
    let (street, estate) = (random.pick(&STREETS), random.pick(&ESTATES));
    let (building, door) = (random.between(1, 30), random.between(1, 24) * 100 + random.between(1, 4));
    format!("{street}{estate}{building}号楼{door}室")
}
