//! Who is asking: kinds of callers, to stand in a handler's signature.
//!
//! Invariant: a value of a kind exists only for a caller that was found to be of that kind; all
//! others were answered 401 and recorded before the handler ran. What the caller may do is not
//! decided here.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::entrance::Arrival;
use super::routes::Template;
use super::server::Worker;
use super::tls::peer::Peer;
use super::{cookie, cross_site};
use crate::app::sealing::Shown;
use crate::app::session::SignedIn;
use crate::app::session::sign_in::Visit;
use crate::app::suspensions;
use crate::app::{Call, Caller, PersonCaller, Source, SystemCaller};
use crate::base::ids::Fingerprint;
use crate::base::{Code, Error, Lang, Result, Secret};

/// A department's system, known by the key of its certificate.
pub struct System {
    /// The request and who makes it.
    pub call: Call<SystemCaller>,
    /// The language it reads.
    pub lang: Lang,
}

/// A person, signed in.
pub struct Person {
    /// The request and who makes it.
    pub call: Call<PersonCaller>,
    /// The language it reads.
    pub lang: Lang,
}

/// The holder of a session, who may have a password to change before being let further.
pub struct Holder {
    /// The request and who makes it.
    pub call: Call<PersonCaller>,
    /// The session.
    pub signed_in: SignedIn,
}

/// A person, signed in; or a system, where no session is shown.
pub struct Anyone {
    /// The request and who makes it.
    pub call: Call<Caller>,
    /// The language it reads.
    pub lang: Lang,
}

/// Somebody who is about to sign in.
pub struct Visitor {
    /// What is known so far.
    pub visit: Visit,
}

/// Whoever a page asks for by itself. It keeps no session alive, and nobody is refused: that a session
/// is over is what such a page wants to know.
pub struct Onlooker {
    /// The request and who makes it, where that person is signed in still.
    pub call: Option<Call<PersonCaller>>,
}

/// A request on its way to its handler.
struct Incoming {
    req: HttpRequest,
    arrival: Rc<Arrival>,
    worker: Worker,
}

impl Incoming {
    fn new(req: &HttpRequest) -> Result<Self> {
        Ok(Self { req: req.clone(), arrival: Arrival::of(req)?, worker: Worker::of(req)? })
    }

    fn call<C>(&self, caller: C) -> Call<C> {
        Call { request_id: self.arrival.request_id, trace: self.arrival.trace.to_string(), caller }
    }

    fn peer(&self) -> Option<&Peer> {
        self.req.conn_data::<Peer>()
    }

    /// The peer, if its certificate is good now.
    fn good_peer(&self) -> Result<&Peer, Code> {
        let peer = self.peer().ok_or(Code::CertificateRequired)?;
        let good = peer.check(&self.worker.tls, self.worker.gateway.now());
        good.then_some(peer).ok_or(Code::CertificateRevoked)
    }

    /// The system that the peer's certificate stands for.
    async fn system(&self) -> Result<SystemCaller> {
        let registry = self.worker.gateway.registry()?;
        let known = self.good_peer().and_then(|peer| {
            let system = registry.by_key(&peer.key).ok_or(Code::CertificateUnknown)?;
            self.worker.tls.note(peer);
            Ok(SystemCaller { system: Arc::clone(system), certificate: peer.certificate, key: peer.key })
        });
        match known {
            Ok(caller) => {
                // Set once: a request has one caller.
                self.arrival.system.get_or_init(|| Arc::clone(&caller.system));
                let call = self.call(caller);
                suspensions::admit(&self.worker.gateway, &call).await?;
                Ok(call.caller)
            }
            Err(code) => Err(self.refuse(self.peer().map(|peer| peer.certificate), code).await),
        }
    }

    /// Whoever holds the session whose token the cookie is.
    async fn holder(&self) -> Result<SignedIn> {
        let found = match (cookie::value(&self.req, cookie::SESSION), cross_site::check(&self.req)) {
            (Some(token), Ok(())) => match self.worker.gateway.signed_in(token.reveal()).await {
                Ok(signed_in) if !self.is_good(&signed_in) => Err(Code::CertificateRevoked.into()),
                found => found,
            },
            (Some(token), Err(code)) => match self.worker.gateway.still_signed_in(token.reveal()).await {
                Ok(known) => {
                    let call = self.call(known.caller());
                    let route = Template::of(&self.req).path;
                    return Err(self.worker.gateway.turned_away(&call, route, code).await);
                }
                Err(_) => Err(code.into()),
            },
            (None, _) => Err(Code::SignInRequired.into()),
        };
        match found {
            Ok(signed_in) => {
                self.arrival.account.get_or_init(|| signed_in.session.profile.account.id.clone());
                Ok(signed_in)
            }
            Err(error)
                if matches!(
                    error.code,
                    Code::SignInRequired | Code::CrossSite | Code::CertificateRevoked
                ) =>
            {
                Err(self.refuse(None, error.code).await)
            }
            Err(error) => Err(error),
        }
    }

    /// A session lasts no longer than the certificate that it was begun with.
    fn is_good(&self, signed_in: &SignedIn) -> bool {
        signed_in.shown.as_ref().is_none_or(|shown| {
            let peer = Peer::again(shown.chain.reveal());
            peer.is_some_and(|peer| peer.check(&self.worker.tls, self.worker.gateway.now()))
        })
    }

    /// A holder with nothing left to set up.
    async fn person(&self) -> Result<PersonCaller> {
        let signed_in = self.holder().await?;
        if signed_in.is_finished() {
            Ok(signed_in.caller())
        } else {
            Err(self.refuse(None, Code::SignInUnfinished).await)
        }
    }

    /// The person, where one is signed in still.
    async fn onlooker(&self) -> Result<Option<PersonCaller>> {
        let Some(token) = cookie::value(&self.req, cookie::SESSION) else { return Ok(None) };
        match self.worker.gateway.still_signed_in(token.reveal()).await {
            Ok(signed_in) if signed_in.is_finished() && self.is_good(&signed_in) => {
                self.arrival.account.get_or_init(|| signed_in.session.profile.account.id.clone());
                Ok(Some(signed_in.caller()))
            }
            Ok(_) => Ok(None),
            Err(error) if error.code == Code::SignInRequired => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A person where a session is shown, a system where none is.
    async fn anyone(&self) -> Result<Caller> {
        Ok(match cookie::value(&self.req, cookie::SESSION) {
            Some(_) => Caller::Person(self.person().await?),
            None => Caller::System(self.system().await?),
        })
    }

    /// What is known of somebody who is about to sign in.
    async fn visit(&self) -> Result<Visit> {
        // Whoever could sign a browser in could have its owner work under another's name.
        if let Err(code) = cross_site::check(&self.req) {
            return Err(self.refuse(None, code).await);
        }
        let address = self.req.peer_addr().ok_or(Code::Internal)?;
        Ok(Visit {
            request_id: self.arrival.request_id,
            trace: self.arrival.trace.to_string(),
            network: Source::network(address.ip()),
            device: cookie::value(&self.req, cookie::DEVICE),
            certificate: self
                .good_peer()
                .map(|peer| Shown { key: peer.key, chain: Secret::new(peer.chain()) }),
        })
    }

    async fn refuse(&self, certificate: Option<Fingerprint>, code: Code) -> Error {
        let route = Template::of(&self.req).path;
        self.worker.gateway.refused_at_door(self.arrival.request_id, certificate, route, code).await
    }
}

/// Each kind with how it is found: actix asks every extractor for the same few lines.
macro_rules! kinds {
    ($($kind:ident: |$incoming:ident| $found:expr;)+) => {$(
        impl FromRequest for $kind {
            type Error = Error;
            type Future = LocalBoxFuture<'static, Result<Self>>;

            fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
                let incoming = Incoming::new(req);
                async move {
                    let $incoming = incoming?;
                    Ok($found)
                }
                .boxed_local()
            }
        }
    )+};
}

kinds! {
    System: |incoming| Self { call: incoming.call(incoming.system().await?), lang: incoming.arrival.lang };
    Person: |incoming| Self { call: incoming.call(incoming.person().await?), lang: incoming.arrival.lang };
    Holder: |incoming| {
        let signed_in = incoming.holder().await?;
        Self { call: incoming.call(signed_in.caller()), signed_in }
    };
    Anyone: |incoming| Self { call: incoming.call(incoming.anyone().await?), lang: incoming.arrival.lang };
    Onlooker: |incoming| Self { call: incoming.onlooker().await?.map(|caller| incoming.call(caller)) };
    Visitor: |incoming| Self { visit: incoming.visit().await? };
}
