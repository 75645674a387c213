//! Organisations: the register of social organisations, and the employers people work for.
//!
//! Invariant: every code is valid by GB 32100, its organisation code by GB 11714 as well, and no
//! two are the same.

use serde_json::{Map, Value, json};
use time::macros::date;
use time::{Date, Duration};

use super::names;
use super::random::Random;
use super::{Sex, rows::record};
use crate::catalogue::identifier::social_credit_check_character;

/// The credit code of the first social organisation of every world, 同心社区服务中心.
pub const FIRST: &str = "52110105MJ000000XA";

const WORDS: [&str; 20] = [
    "同心", "阳光", "和谐", "晨光", "春雨", "博爱", "仁和", "启航", "绿野", "乐龄", "青松", "明德", "星火",
    "安宁", "新苗", "远志", "金桥", "众力", "丰泽", "长青",
];

const TRADES: [&str; 10] = [
    "商贸有限公司",
    "科技有限公司",
    "物流有限公司",
    "建筑工程有限公司",
    "餐饮管理有限公司",
    "物业服务有限公司",
    "服装有限公司",
    "机械制造有限公司",
    "家政服务有限公司",
    "超市有限公司",
];

/// The records of `civil.organisations`.
pub fn organisations(seed: u64, count: u32, today: Date) -> Vec<Map<String, Value>> {
    let mut random = Random::stream(seed, u64::from(u32::MAX));
    (0..count).map(|number| organisation(&mut random, number, today)).collect()
}

fn organisation(random: &mut Random, number: u32, today: Date) -> Map<String, Value> {
    let (kind, digit, endings): (_, _, &[&str]) = match number % 10 {
        0..6 => ("social-service", '2', &["社区服务中心", "养老服务中心", "社会工作服务中心", "幼儿园"]),
        6..9 => ("association", '1', &["志愿者协会", "餐饮行业协会", "老年人体育协会", "摄影协会"]),
        _ => ("foundation", '3', &["公益基金会", "教育基金会", "助困基金会"]),
    };
    let word = if number == 0 { "同心" } else { random.pick(&WORDS) };
    let ending = if number == 0 { "社区服务中心" } else { random.pick(endings) };
    let street = if number < 20 { String::new() } else { format!("{}街", random.pick(&WORDS)) };
    let sex = if random.per_mille(400) { Sex::Female } else { Sex::Male };
    let family = names::family(random);
    let least = if kind == "foundation" { 2_000_000 } else { 30_000 };
    record([
        ("credit_code", json!(credit_code(['5', digit], "MJ", number))),
        ("name", json!(format!("{street}{word}{ending}"))),
        ("kind", json!(kind)),
        ("status", json!(if number == 0 || random.per_mille(930) { "active" } else { "cancelled" })),
        ("registered_on", json!(random.day(date!(1996 - 01 - 01), today - Duration::days(30)).to_string())),
        ("legal_representative", json!(names::full(random, family, sex))),
        ("initial_funds", json!(least + random.skewed(0, 500) * 10_000)),
        ("address", json!(format!("{word}路{}号", random.between(1, 300)))),
    ])
}

/// Name and credit code of the employer with that number: the same in every world.
pub fn employer(number: u32) -> (String, String) {
    let mut random = Random::stream(0, u64::from(number));
    let (first, second, trade) = (random.pick(&WORDS), random.pick(&WORDS), random.pick(&TRADES));
    (format!("{first}{second}{trade}"), credit_code(['9', '1'], "MA", number))
}

/// Registration authority and kind, division, organisation code, check character.
fn credit_code(authority_and_kind: [char; 2], prefix: &str, number: u32) -> String {
    let [authority, kind] = authority_and_kind;
    let body = organisation_code(prefix, number);
    let mut code = format!("{authority}{kind}110105{body}");
    code.extend(social_credit_check_character(&code));
    code
}

/// Eight characters and a check character (GB 11714, modulus 11).
fn organisation_code(prefix: &str, number: u32) -> String {
    let mut code = format!("{prefix}{number:06}");
    let weighted = code.chars().zip([3, 7, 9, 10, 5, 8, 4, 2]);
    let sum: u32 = weighted.map(|(c, weight)| c.to_digit(36).unwrap_or(0) * weight).sum();
    code.push(match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    });
    code
}
