//! Who else is asked over the network: the identity provider, the witnesses, the timestamp authority.
//!
//! Invariant: each is connected to as the gateway does it, and nothing is sent that changes anything
//! there: of the identity provider its description and keys are read, which it gives to everybody.

use futures_util::future::join_all;

use super::{Check, Text};
use crate::anchors::{Authority, PostError, Witness};
use crate::base::{Findings, Timestamp};
use crate::config::{Config, OidcSection};
use crate::oidc::IdentityProvider;

/// Nothing for what the configuration does not name. `file` is the configuration.
pub(super) fn check(file: &str, config: &Config, now: Timestamp) -> Vec<Check> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(ask(file, config, now)),
        Err(error) => {
            let what = Text::new(error.to_string(), format!("无法检查网络：{error}"));
            vec![Check::fail("network", what, Text::new("try again", "请重试"))]
        }
    }
}

async fn ask(file: &str, config: &Config, now: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(section) = &config.oidc {
        checks.push(provider(section, now).await);
    }
    let witnesses = config.witness.iter().map(async |entry| match Witness::new(file, entry) {
        Err(finding) => Check::refused("witness", &Findings(vec![finding])),
        Ok(witness) => reached("witness", &entry.name, witness.reach().await),
    });
    checks.extend(join_all(witnesses).await);
    if let Some(section) = &config.timestamp {
        checks.push(match Authority::new(file, section) {
            Err(finding) => Check::refused("timestamp", &Findings(vec![finding])),
            Ok(authority) => reached("timestamp", &section.url, authority.reach().await),
        });
    }
    checks
}

/// Does the identity provider describe itself, under its name, with keys of use?
async fn provider(section: &OidcSection, now: Timestamp) -> Check {
    const NAME: &str = "oidc";
    let provider = match IdentityProvider::new(section) {
        Ok(provider) => provider,
        Err(finding) => return Check::refused(NAME, &Findings(vec![finding])),
    };
    let issuer = provider.issuer();
    match provider.reach(now).await {
        Ok(keys) => Check::ok(
            NAME,
            format!("{issuer} describes itself, with {keys} keys"),
            format!("{issuer} 的自述文档正常，密钥 {keys} 个"),
        ),
        Err(failure) => Check::warn(
            NAME,
            Text::new(format!("{issuer}: {failure}"), format!("{issuer} 不可用：{failure}")),
            Text::new(
                "nobody signs in there, everybody else does: look at the provider, the network, and `issuer`, \
                 `allow` and `ca` of [oidc]",
                "无法经其登录，其他登录方式不受影响：请检查身份提供方、网络，以及 [oidc] 的 issuer、allow 和 ca",
            ),
        ),
    }
}

fn reached(name: &'static str, who: &str, reached: Result<(), PostError>) -> Check {
    match reached {
        Ok(()) => Check::ok(name, format!("{who} takes connections"), format!("{who} 可连接")),
        Err(error) => Check::warn(
            name,
            Text::new(format!("{who} {error}"), format!("{who} 无法连接：{error}")),
            Text::new(
                "it does not vouch for the log meanwhile: look at it, the network, its `url` and its CA",
                "在此期间它不为日志作证：请检查对方、网络、url 和证书机构",
            ),
        ),
    }
}
