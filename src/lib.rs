//! Sluice (数闸): a gateway through which departments share data field by field.
//!
//! This is the map. Each room has one job; its `//!` says which, what always holds in it, and
//! what it must not do.
//!
//! | room | its job | may import |
//! |---|---|---|
//! | [`base`] | codes and errors, time, ids, secrets, strict JSON | nothing of ours |
//! | [`catalogue`] | what can be asked: datasets, fields, classes, levels, forms | base |
//! | [`identity`] | who is asking | base |
//! | [`policy`] | the decision; alone knows casbin | base, catalogue, identity |
//! | [`approval`] | applications: commands, events, clocks, separation of duties | base, catalogue, identity |
//! | [`privacy`] | disclosure forms | base, catalogue, identity |
//! | [`audit`] | record, tree, checkpoint, proof, verification: pure | base |
//! | [`config`] | file, then environment, into types | base, catalogue, audit |
//! | [`store`] | the log and the state on disk; alone knows diesel (with `adapters::sql`) | base, domain, config |
//! | [`adapters`] | where department data comes from | base, domain, config |
//! | [`anchors`] | asks witnesses and timestamp authorities to vouch for checkpoints | base, domain, config |
//! | [`couriers`] | how notices leave: mail and webhooks | base, config, adapters |
//! | [`oidc`] | the identity provider at which people may sign in | base, config, adapters, couriers |
//! | [`telemetry`] | logs, measurements and traces | base, domain, config, anchors |
//! | [`app`] | the use cases: each a short story | base, domain, edges, config |
//! | [`web`] | the HTTP entrance; alone knows actix | app, base, domain, config, telemetry |
//! | [`jobs`] | what happens without being asked | app, base, domain, config, telemetry |
//! | [`demo`] | a world to try it in | anything |
//! | [`cli`] | the wiring | anything |
//!
//! The domain is `catalogue`, `identity`, `policy`, `approval`, `privacy` and `audit`: pure functions and
//! immutable values, no I/O, no clock, no async. The edges are `store`, `adapters`, `anchors`,
//! `couriers`, `oidc`, `telemetry`.
//! `tests/it/house.rs` reads the sources and keeps these rules.
//!
//! # The way of a query
//!
//! ```text
//! caller  = certificate -> system -> department            web::extract        401
//! ask     = the body against the dataset's schema          catalogue::request  400 422
//! verdict = what of it, in which form, by which rule       policy              403
//! quota   = charged before anything is fetched             store::state        429
//! rows    = only the permitted fields, from the provider   adapters            502 504
//! checked = each value against its schema                  catalogue           502
//! out     = each value in its form                         privacy
//! receipt = the record, durable and signed                 audit, store::audit 503
//! answer  = only now does a byte leave                     web
//! ```
//!
//! [`app::query`] is that story in code. Every outcome is recorded, refusals and failures too.

pub mod adapters;
pub mod anchors;
pub mod app;
pub mod approval;
pub mod audit;
pub mod base;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod couriers;
pub mod demo;
pub mod identity;
pub mod jobs;
pub mod oidc;
pub mod policy;
pub mod privacy;
pub mod store;
pub mod telemetry;
pub mod web;
