//! Who calls, and under which request id.

use std::sync::Arc;

use crate::base::ids::{Fingerprint, RequestId};
use crate::identity::System;

/// One request of a known caller.
#[derive(Debug, Clone)]
pub struct Call {
    /// The id of the request.
    pub request_id: RequestId,
    /// Its W3C `traceparent`: the one that came in, or a new one.
    pub trace: String,
    /// Who calls.
    pub caller: Caller,
}

/// A system, and the certificate that it showed.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The registered system.
    pub system: Arc<System>,
    /// SHA-256 of the certificate in DER.
    pub certificate: Fingerprint,
    /// SHA-256 of its public key: what the system is registered by.
    pub key: Fingerprint,
}
