//! The data directory: its owner, its databases, the clock against the log, the second place, and
//! the room on their disks.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::{Check, Text};
use crate::app::keys::Keys;
use crate::audit::Checkpoint;
use crate::audit::record::LeafHead;
use crate::audit::verify::Stored;
use crate::base::{Findings, Timestamp};
use crate::config::{Config, DatabaseSection};
use crate::store::audit::{Database, checkpoints_in_copy, upkeep as log};
use crate::store::db::Server;
use crate::store::state::upkeep as state;
use crate::store::upkeep::Schema;

/// Room below which the log soon cannot be written, and below which somebody should look.
const LITTLE: u64 = 256 << 20;
const LOW: u64 = 2 << 30;
/// Further back than this the log takes no record.
const BACK: i64 = 5;

pub(super) fn check(config: &Config, keys: Option<&Keys>, now: Timestamp) -> Vec<Check> {
    let dir = &config.gateway.data_dir;
    let mut checks = vec![folder(dir)];
    if let Some(section) = &config.database {
        checks.extend(on_server(config, section, keys, now));
        checks.push(room("disk", dir));
        checks.extend(config.audit.checkpoint_copy_file.parent().map(|parent| room("second-disk", parent)));
        return checks;
    }
    checks.extend([state_database(dir), log_database(dir)]);
    // Whether this is the log that the keys belong to, and how far it is.
    let end = Database::open(dir).ok().and_then(end_of_log);
    if let Some((_, last)) = &end {
        checks.push(clock(*last, now));
    }
    let copy = &config.audit.checkpoint_copy_file;
    if let Some(keys) = keys {
        checks.push(second_place(copy, Some(dir), keys, end.as_ref().map(|(size, _)| *size)));
    }
    checks.push(room("disk", dir));
    checks.extend(copy.parent().map(|parent| room("second-disk", parent)));
    checks
}

fn folder(dir: &Path) -> Check {
    const NAME: &str = "data";
    let Ok(found) = fs::metadata(dir) else {
        return Check::warn(
            NAME,
            Text::new(format!("{} is not there", dir.display()), format!("{} 不存在", dir.display())),
            Text::new("the first start makes it", "首次启动时会创建"),
        );
    };
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Check::warn(
            NAME,
            Text::new(
                format!("others on this machine may look into {} (mode {mode:o})", dir.display()),
                format!("本机其他用户可访问 {}（权限 {mode:o}）", dir.display()),
            ),
            Text::new(format!("chmod 700 {}", dir.display()), format!("执行 chmod 700 {}", dir.display())),
        );
    }
    let ours = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == found.uid());
    if !ours {
        return Check::warn(
            NAME,
            Text::new(
                "this is not the user that the folder belongs to: what it cannot see, it cannot check",
                "当前用户不是数据目录的所有者：看不到的内容无法检查",
            ),
            Text::new("run as the gateway's user", "请以网关的运行用户执行"),
        );
    }
    Check::ok(
        NAME,
        format!("{}, for this user alone", dir.display()),
        format!("{}，仅本用户可访问", dir.display()),
    )
}

fn state_database(dir: &Path) -> Check {
    const NAME: &str = "state";
    match state::schema(dir) {
        Err(error) => broken(NAME, &error),
        Ok(Schema::Current(found) | Schema::Ahead { found, .. }) => match state::is_sound(dir) {
            Ok(true) => sound(NAME, &found),
            Ok(false) => broken(NAME, &"its pages do not hold together"),
            Err(error) => broken(NAME, &error),
        },
        Ok(other) => standing(NAME, &other),
    }
}

/// What gateways share: its schemas, and the log's end against this machine's clock and copy.
fn on_server(config: &Config, section: &DatabaseSection, keys: Option<&Keys>, now: Timestamp) -> Vec<Check> {
    let server = match Server::new(section) {
        Ok(server) => server,
        Err(finding) => return vec![Check::refused("state", &Findings(vec![finding]))],
    };
    let mut checks = vec![
        schema_on_server("state", state::schema_on(&server).map_err(|e| e.to_string())),
        schema_on_server("log", log::schema_on(&server).map_err(|e| e.to_string())),
    ];
    let end = Database::on(&server).ok().and_then(end_of_log);
    if let Some((_, last)) = &end {
        checks.push(clock(*last, now));
    }
    if let Ok(footing) = log::footing(&server) {
        checks.extend([servers_clock(footing.now, now), standby(footing.standby)]);
    }
    if let Some(keys) = keys {
        let size = end.as_ref().map(|(size, _)| *size);
        checks.push(second_place(&config.audit.checkpoint_copy_file, None, keys, size));
    }
    checks
}

fn schema_on_server(name: &'static str, looked: Result<Schema, String>) -> Check {
    match looked {
        Err(error) => Check::fail(
            name,
            Text::new(
                format!("the server is not reached: {error}"),
                format!("无法连接数据库服务器：{error}"),
            ),
            Text::new(
                "look at the server, the network, and [database]",
                "请检查数据库服务器、网络和 [database] 配置",
            ),
        ),
        Ok(Schema::Current(found) | Schema::Ahead { found, .. }) => Check::ok(
            name,
            format!("on the server; schema {found}"),
            format!("在数据库服务器上；结构版本 {found}"),
        ),
        Ok(newer @ Schema::Newer { .. }) => standing(name, &newer),
        Ok(other) => Check::fail(
            name,
            Text::new(
                format!("has schema {}, which is not this program's", other.found()),
                format!("结构版本为 {}，与本程序不符", other.found()),
            ),
            Text::new("`sluice migrate --owner ROLE`", "执行 `sluice migrate --owner 角色`"),
        ),
    }
}

fn log_database(dir: &Path) -> Check {
    const NAME: &str = "log";
    let looked = log::schema(dir).map_err(|e| e.to_string());
    match looked {
        Err(error) => broken(NAME, &error),
        Ok(Schema::Current(found)) => {
            let unsound = Database::open(dir)
                .map_err(|e| e.to_string())
                .and_then(|mut log| log.unsound().map_err(|e| e.to_string()));
            match unsound {
                Ok(None) => sound(NAME, &found),
                Ok(Some(what)) => broken(NAME, &what),
                Err(error) => broken(NAME, &error),
            }
        }
        Ok(other) => standing(NAME, &other),
    }
}

fn sound(name: &'static str, schema: &str) -> Check {
    Check::ok(name, format!("schema {schema}; its pages are sound"), format!("结构版本 {schema}；页面完好"))
}

fn broken(name: &'static str, error: &dyn std::fmt::Display) -> Check {
    Check::fail(
        name,
        Text::new(format!("cannot be used: {error}"), format!("不能使用：{error}")),
        Text::new(
            "keep the files as they are; docs/operations.md, Restoring",
            "保留原文件不动；参见 docs/operations.md 的 Restoring 一节",
        ),
    )
}

/// A database that is not as this program wants it.
fn standing(name: &'static str, schema: &Schema) -> Check {
    match schema {
        Schema::Newer { found, known } => Check::fail(
            name,
            Text::new(
                format!("has schema {found}, and this program knows {known}: a newer program wrote it"),
                format!("结构版本为 {found}，本程序只认识 {known}：由更新的程序写入"),
            ),
            Text::new(
                "run that program, or restore a backup from before",
                "请运行该版本程序，或恢复此前的备份",
            ),
        ),
        Schema::Behind { found, known } => Check::warn(
            name,
            Text::new(
                format!("has schema {found}, this program's is {known}"),
                format!("结构版本为 {found}，本程序为 {known}"),
            ),
            Text::new("`sluice migrate`, or the next start", "执行 `sluice migrate`，或在下次启动时自动更新"),
        ),
        Schema::None | Schema::Current(_) | Schema::Ahead { .. } => Check::warn(
            name,
            Text::new("is not there yet", "尚不存在"),
            Text::new("the first start makes it", "首次启动时会创建"),
        ),
    }
}

/// Records in the log, and the time of the last.
fn end_of_log(mut log: Database) -> Option<(u64, Timestamp)> {
    let (size, _) = log.head().ok()??;
    let leaf = log.leaf(size.checked_sub(1)?).ok()??;
    Some((size, LeafHead::parse(&leaf).ok()?.time))
}

fn clock(last: Timestamp, now: Timestamp) -> Check {
    const NAME: &str = "clock";
    let behind = last.seconds() - now.seconds();
    let what = Text::new(
        format!("{now}; the last record is of {last}"),
        format!("{now}；最后一条记录的时间是 {last}"),
    );
    match behind > BACK {
        true => Check::fail(
            NAME,
            what,
            Text::new(
                format!("it is {behind} s behind the log, which does not go back: set it right"),
                format!("时钟比日志慢 {behind} 秒，日志不会倒退：请校正时钟"),
            ),
        ),
        false => Check::ok(NAME, what.en, what.zh),
    }
}

/// A gateway that is ahead of the server writes nothing; one that is behind others neither.
fn servers_clock(servers: Timestamp, now: Timestamp) -> Check {
    const NAME: &str = "server-clock";
    let what = Text::new(
        format!("{now}; the database server's is at {servers}"),
        format!("{now}；数据库服务器的时钟是 {servers}"),
    );
    match (now.seconds() - servers.seconds()).abs() > BACK {
        true => Check::fail(
            NAME,
            what,
            Text::new(
                "set right whichever is wrong: a gateway that is ahead of the server records nothing, and is not ready",
                "请校正有误的一方：网关时钟快于数据库服务器时，不写入任何记录，且不就绪",
            ),
        ),
        false => Check::ok(NAME, what.en, what.zh),
    }
}

fn standby(waited_for: bool) -> Check {
    const NAME: &str = "standby";
    match waited_for {
        true => Check::ok(NAME, "the server has commits wait for a standby", "数据库服务器的提交会等待备库"),
        false => Check::warn(
            NAME,
            Text::new(
                "synchronous_standby_names is empty: what is answered is on one server alone, and a standby that takes over may lack it",
                "synchronous_standby_names 为空：已应答的内容只在一台服务器上，备库接管后可能缺失",
            ),
            Text::new(
                "docs/operations.md, Several gateways",
                "参见 docs/operations.md 的 Several gateways 一节",
            ),
        ),
    }
}

/// `dir` holds the log, unless a server does.
fn second_place(copy: &Path, dir: Option<&Path>, keys: &Keys, size: Option<u64>) -> Check {
    const NAME: &str = "second-place";
    let lost = Text::new(
        "docs/operations.md, When it refuses to start",
        "参见 docs/operations.md 的 When it refuses to start 一节",
    );
    let Ok(bytes) = fs::read(copy) else {
        let what =
            Text::new(format!("{} is not there", copy.display()), format!("{} 不存在", copy.display()));
        return match size {
            Some(_) => Check::fail(NAME, what, lost),
            None => Check::warn(NAME, what, Text::new("the first start makes it", "首次启动时会创建")),
        };
    };
    if bytes.is_empty() && size.is_some() {
        let what = Text::new("is an empty file, as an operator makes it", "是空文件，由运维人员创建");
        let fix = Text::new(
            "the next start records that it was begun anew",
            "下次启动时会记录：检查点副本重新开始",
        );
        return Check::warn(NAME, what, fix);
    }
    let known = [Some(keys.signing.public()), keys.previous.as_ref().map(|key| key.public())];
    let notes = checkpoints_in_copy(&bytes);
    let signed = notes
        .iter()
        .flat_map(|note| known.iter().flatten().filter_map(|key| Checkpoint::open(note, key).ok()));
    let Some(seen) = signed.map(|checkpoint| checkpoint.size).max() else {
        let what = Text::new("holds no checkpoint by the log's key", "没有由日志密钥签名的检查点");
        return Check::fail(NAME, what, lost);
    };
    let Some(size) = size else {
        let what = Text::new(
            format!("has seen {seen} records; the log is not there or cannot be read"),
            format!("已记下 {seen} 条记录的检查点；日志不存在或无法读取"),
        );
        let fix = Text::new("docs/operations.md, Restoring", "参见 docs/operations.md 的 Restoring 一节");
        return Check::fail(NAME, what, fix);
    };
    let what = Text::new(
        format!("has seen {seen} records; the log has {size}"),
        format!("已记下 {seen} 条记录的检查点；日志现有 {size} 条"),
    );
    let device = |path: &Path| fs::metadata(path).ok().map(|found| found.dev());
    if seen > size {
        let fix = Text::new(
            "the log was rolled back: an older database was put back. Find the newer one",
            "日志被回退：放回了旧的数据库。请找回较新的数据库",
        );
        return Check::fail(NAME, what, fix);
    }
    if dir.is_some_and(|dir| device(copy) == device(dir)) {
        let fix = Text::new(
            "it is on the disk of the log, and would be lost or put back with it: use another disk or machine",
            "与日志在同一磁盘上，会一同丢失或被回退：请放到另一磁盘或机器上",
        );
        return Check::warn(NAME, what, fix);
    }
    Check::ok(NAME, what.en, what.zh)
}

/// How much room there is where `path` is, or will be.
fn room(name: &'static str, path: &Path) -> Check {
    // Of a path from here, the folder that is there may be the one that it is told from.
    let path = std::path::absolute(Path::new(".").join(path)).unwrap_or_else(|_| path.into());
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(&path);
    let Ok(found) = rustix::fs::statvfs(there) else {
        return Check::warn(
            name,
            Text::new(
                format!("{}: its disk cannot be looked at", there.display()),
                format!("{}：无法查看其所在磁盘", there.display()),
            ),
            Text::new("look at the path and its rights", "请检查路径及其权限"),
        );
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let total = found.f_blocks.saturating_mul(found.f_frsize).max(1);
    let percent = free.saturating_mul(100) / total;
    let what = Text::new(
        format!("{} MiB free ({percent}%) at {}", free >> 20, there.display()),
        format!("{} 剩余 {} MiB（{percent}%）", there.display(), free >> 20),
    );
    let fix = Text::new(
        "make room: a log that cannot be written stops all queries",
        "请清理空间：日志无法写入时，所有查询都会停止",
    );
    match free {
        ..LITTLE => Check::fail(name, what, fix),
        LITTLE..LOW => Check::warn(name, what, fix),
        _ => Check::ok(name, what.en, what.zh),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_of_a_folder_that_is_not_there_yet_is_that_of_the_next_one_above() {
        let here = std::env::current_dir().unwrap();
        for path in ["", "not-there", "not-there/either", "src/not-there"] {
            let check = room("second-disk", Path::new(path));
            let above = if path.starts_with("src") { here.join("src") } else { here.clone() };
            let told = check.what.en.trim_end_matches('/');
            assert!(told.ends_with(&format!(" at {}", above.display())), "{path}: {told}");
        }
    }
}
