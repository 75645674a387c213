//! The HTTP entrance: TLS, requests in, answers and problems out.
//!
//! A handler extracts, calls the app and renders; everything that all requests have in common is
//! in [`entrance`]. Invariant: actix is known here and nowhere else, and no decision is taken
//! here. This room must not reach for the store or the adapters: the app does.

pub mod api;
pub mod body;
mod connections;
pub mod console;
pub mod cookie;
mod cross_site;
pub mod entrance;
pub mod extract;
pub mod legacy;
pub mod ops;
pub mod problem;
pub mod provider;
pub mod routes;
pub mod server;
pub mod tls;
pub mod trace;
pub mod witness;

#[cfg(test)]
mod tests;
