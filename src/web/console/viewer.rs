//! Who looks at a page: to stand in a handler's signature.
//!
//! Invariant: a [`Viewer`] exists only for a person whom the page's row in the table lets have it; who
//! was turned away was recorded. The frame is left with the request, so that a problem is shown in it.

use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::frame::Frame;
use super::{draft, form, nav, pages};
use crate::app::session::SignedIn;
use crate::app::session::sign_in::Visit;
use crate::app::{Call, Caller, PersonCaller, console};
use crate::base::{Code, Error, Result};
use crate::web::extract;
use crate::web::server::Worker;

/// A person who may have the page.
pub struct Viewer {
    /// The request and who makes it.
    pub call: Call<PersonCaller>,
    /// What all pages have.
    pub frame: Rc<Frame>,
}

/// The holder of a session, who may have a password to change before being let further.
pub struct Holder {
    /// The request and who makes it.
    pub call: Call<PersonCaller>,
    /// The session.
    pub signed_in: SignedIn,
    /// What all pages have.
    pub frame: Rc<Frame>,
}

/// Somebody who is about to sign in.
pub struct Visitor {
    /// What is known so far.
    pub visit: Visit,
    /// What all pages have.
    pub frame: Rc<Frame>,
}

impl Viewer {
    /// The call, for stories that are told to systems too.
    pub fn anyone(&self) -> Call<Caller> {
        let call = self.call.clone();
        Call { request_id: call.request_id, trace: call.trace, caller: Caller::Person(call.caller) }
    }
}

impl FromRequest for Viewer {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let held = form::hold(req, payload);
        let (req, person) = (req.clone(), extract::Person::extract(req));
        async move {
            held?;
            let call = match person.await {
                Ok(person) => person.call,
                Err(error) => return Err(draft::keep(&req, error).await),
            };
            known(&req, &call);
            let worker = Worker::of(&req)?;
            let frame = kept(&req, Frame::of_person(&req, &worker, &call.caller.account));
            let page = pages::of(&req).ok_or(Code::Internal)?;
            if !nav::opens(page.who, &call.caller.account, &worker.gateway.world().policy) {
                return Err(console::refuse(&worker.gateway, &call, page.path).await);
            }
            Ok(Self { call, frame })
        }
        .boxed_local()
    }
}

impl FromRequest for Holder {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (req, holder) = (req.clone(), extract::Holder::extract(req));
        async move {
            let extract::Holder { call, signed_in } = holder.await?;
            known(&req, &call);
            let worker = Worker::of(&req)?;
            let frame = Frame::of_person(&req, &worker, &call.caller.account);
            // Until the sign-in is finished no other page is open.
            let frame = if signed_in.is_finished() { frame } else { frame.without_links() };
            Ok(Self { call, signed_in, frame: kept(&req, frame) })
        }
        .boxed_local()
    }
}

impl FromRequest for Visitor {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (req, visitor) = (req.clone(), extract::Visitor::extract(req));
        async move {
            let visit = visitor.await?.visit;
            let worker = Worker::of(&req)?;
            let frame = kept(&req, Frame::of_visitor(&req, &worker)?);
            Ok(Self { visit, frame })
        }
        .boxed_local()
    }
}

/// Leaves with the request who makes it, for what is refused later on.
fn known(req: &HttpRequest, call: &Call<PersonCaller>) {
    req.extensions_mut().insert(call.clone());
}

fn kept(req: &HttpRequest, frame: Frame) -> Rc<Frame> {
    let frame = Rc::new(frame);
    req.extensions_mut().insert(Rc::clone(&frame));
    frame
}
