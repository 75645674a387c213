//! Names as one meets them in a district: the commonest surnames most often, some double
//! surnames, and some names of other peoples written with a middle dot.
//!
//! Invariant: parts are combined by chance and belong to nobody.

use super::Sex;
use super::random::Random;

/// The ten commonest surnames, which somewhat under half of all people have.
const COMMONEST: [&str; 10] = ["王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周"];

const COMMON: [&str; 90] = [
    "徐", "孙", "马", "朱", "胡", "郭", "何", "林", "高", "罗", "郑", "梁", "谢", "宋", "唐", "许", "韩",
    "邓", "冯", "曹", "彭", "曾", "肖", "田", "董", "潘", "袁", "蔡", "蒋", "余", "于", "杜", "叶", "程",
    "魏", "苏", "吕", "丁", "任", "卢", "姚", "沈", "钟", "姜", "崔", "谭", "陆", "范", "汪", "廖", "石",
    "金", "韦", "贾", "夏", "付", "方", "邹", "熊", "白", "孟", "秦", "邱", "侯", "江", "尹", "薛", "闫",
    "段", "雷", "龙", "黎", "史", "陶", "贺", "毛", "郝", "顾", "龚", "邵", "万", "覃", "武", "钱", "戴",
    "严", "莫", "孔", "向", "常",
];

const DOUBLE: [&str; 8] = ["欧阳", "司马", "上官", "诸葛", "皇甫", "慕容", "令狐", "司徒"];

const FEMALE: [&str; 40] = [
    "秀", "英", "兰", "芳", "娜", "静", "敏", "丽", "艳", "娟", "霞", "玲", "桂", "红", "梅", "雪", "琳",
    "雅", "婷", "慧", "洁", "燕", "萍", "月", "淑", "华", "玉", "珍", "佳", "欣", "怡", "雨", "思", "诗",
    "涵", "梦", "瑶", "蓉", "倩", "莹",
];

const MALE: [&str; 40] = [
    "伟", "强", "磊", "军", "洋", "勇", "杰", "涛", "超", "明", "刚", "平", "辉", "鹏", "建", "国", "志",
    "文", "浩", "宇", "轩", "俊", "峰", "飞", "斌", "波", "宁", "东", "海", "林", "德", "福", "成", "永",
    "子", "泽", "一", "博", "天", "瑞",
];

const WITH_DOT: [(Sex, &str); 10] = [
    (Sex::Male, "买买提"),
    (Sex::Male, "阿迪力"),
    (Sex::Male, "吐尔逊"),
    (Sex::Male, "艾合买提"),
    (Sex::Male, "依明"),
    (Sex::Female, "阿依古丽"),
    (Sex::Female, "古丽娜尔"),
    (Sex::Female, "热依汗"),
    (Sex::Female, "帕提古丽"),
    (Sex::Female, "米热古丽"),
];

/// What the members of a family have in common.
#[derive(Debug, Clone, Copy)]
pub(super) enum Family {
    /// A surname, which precedes the given name.
    Surname(&'static str),
    /// No surname: a given name and the father's, with a dot between them.
    Dotted,
}

/// A family's name.
pub(super) fn family(random: &mut Random) -> Family {
    match random.below(1000) {
        0..450 => Family::Surname(random.pick(&COMMONEST)),
        450..985 => Family::Surname(random.pick(&COMMON)),
        985..995 => Family::Surname(random.pick(&DOUBLE)),
        _ => Family::Dotted,
    }
}

/// A full name in that family.
pub(super) fn full(random: &mut Random, family: Family, sex: Sex) -> String {
    match family {
        Family::Surname(surname) => {
            let given = if sex == Sex::Female { &FEMALE } else { &MALE };
            let (first, second) = (random.pick(given), random.pick(given));
            if random.per_mille(220) {
                format!("{surname}{first}")
            } else {
                format!("{surname}{first}{second}")
            }
        }
        Family::Dotted => {
            let own = |wanted| WITH_DOT.iter().filter(move |(sex, _)| *sex == wanted).map(|(_, name)| *name);
            let (mine, fathers): (Vec<_>, Vec<_>) = (own(sex).collect(), own(Sex::Male).collect());
            format!("{}·{}", random.pick(&mine), random.pick(&fathers))
        }
    }
}
