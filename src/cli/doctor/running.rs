//! What answers over the network: the adapters, and the gateway itself where it runs.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::Deserialize;

use super::{Check, Text};
use crate::adapters::Adapters;

/// For the operations port to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// No answer of the operations port is longer.
const MAX: u64 = 64 << 10;
/// More records than this behind the log, and searches miss what happened a while ago.
const LAG: u64 = 10_000;

/// Can each adapter be connected to?
pub(super) fn adapters(adapters: &Adapters) -> Vec<Check> {
    const NAME: &str = "adapter";
    let tried = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map(|runtime| runtime.block_on(adapters.reach()));
    let tried = match tried {
        Ok(tried) => tried,
        Err(error) => return vec![unreachable("", &error)],
    };
    let one = |(name, reached): (&str, Result<(), String>)| match reached {
        Ok(()) => Check::ok(NAME, format!("{name} takes connections"), format!("{name} 可连接")),
        Err(error) => unreachable(name, &error),
    };
    tried.into_iter().map(one).collect()
}

fn unreachable(name: &str, error: &dyn std::fmt::Display) -> Check {
    Check::warn(
        "adapter",
        Text::new(format!("{name}: {error}"), format!("{name} 无法连接：{error}")),
        Text::new(
            "its datasets are not answered: look at the adapter, the network, `allow` and both certificates",
            "其目录项无法应答：请检查适配器、网络、allow 配置和双方证书",
        ),
    )
}

/// The members of `/readyz` that are looked at.
#[derive(Deserialize)]
struct Ready {
    ready: bool,
    database: bool,
    log: bool,
    log_index_lag: u64,
    log_copied: bool,
}

/// Does a gateway answer on its operations port, and what does it say of itself?
pub(super) fn gateway(address: SocketAddr) -> Check {
    const NAME: &str = "gateway";
    let told = match ask(address) {
        Ok(told) => told,
        Err(error) => {
            return Check::warn(
                NAME,
                Text::new(
                    format!("none answers at {address}: {error}"),
                    format!("{address} 没有网关应答：{error}"),
                ),
                Text::new("start it, unless it is meant to be stopped", "如非有意停止，请启动网关"),
            );
        }
    };
    let what = Text::new(
        format!(
            "ready: {}; database: {}; log: {}; index lag: {} records; second place written: {}",
            told.ready, told.database, told.log, told.log_index_lag, told.log_copied
        ),
        format!(
            "就绪：{}；数据库：{}；日志：{}；索引滞后：{} 条；第二处已写入：{}",
            told.ready, told.database, told.log, told.log_index_lag, told.log_copied
        ),
    );
    match told {
        Ready { ready: false, .. } => Check::fail(
            NAME,
            what,
            Text::new(
                "it refuses queries: the lines above and its own log say why",
                "网关拒绝查询：原因见以上各行和它的运行日志",
            ),
        ),
        Ready { log_copied: false, .. } => Check::fail(
            NAME,
            what,
            Text::new("the second place cannot be written: mend it", "第二处无法写入：请修复"),
        ),
        Ready { log_index_lag: LAG.., .. } => Check::warn(
            NAME,
            what,
            Text::new(
                "searches are behind the log: look at the disk's load",
                "检索落后于日志：请检查磁盘负载",
            ),
        ),
        _ => Check::ok(NAME, what.en, what.zh),
    }
}

fn ask(address: SocketAddr) -> io::Result<Ready> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: ops\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX).read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    serde_json::from_str(body).map_err(|_| io::Error::other("what answers there is not a gateway"))
}
