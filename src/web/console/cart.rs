//! Fields that somebody means to apply for, across datasets, until the applications are written.
//!
//! Invariant: the browser keeps them, the gateway does not; what comes back is looked up in the catalogue
//! as the viewer may see it, so a cart tells nothing of what its holder may not know.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::cookies;
use super::form::Posted;
use super::frame::{Frame, go_on, set};
use super::pages::{Page, Who, get, post};
use super::places::Places;
use super::viewer::Viewer;
use crate::base::Result;
use crate::base::ids::{DatasetId, FieldName};
use crate::policy::Action;
use crate::web::server::Worker;

/// The most fields in a cart: what a cookie has room for.
const MOST: usize = 60;

const MAY: Who = Who::May(&[Action::ApplicationsWrite]);

/// The rows of the table.
pub static PAGES: &[Page] =
    &[get("/console/cart", MAY, || web::to(show)), post("/console/cart", MAY, || web::to(change))];

/// Datasets with the fields that are wanted of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cart(Vec<(DatasetId, Vec<FieldName>)>);

impl Cart {
    /// The cart that came with a request.
    pub fn of(req: &HttpRequest) -> Self {
        cookies::long(req, cookies::CART).map(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// `dataset~field~field!dataset~field`: characters that no id has.
    fn parse(text: &str) -> Self {
        let mut cart = Self::default();
        for part in text.split('!') {
            let mut names = part.split('~');
            let Some(dataset) = names.next().and_then(DatasetId::parse) else { continue };
            names.filter_map(FieldName::parse).for_each(|field| cart.add(&dataset, field));
        }
        cart
    }

    fn text(&self) -> String {
        let parts = self.0.iter().map(|(dataset, fields)| {
            let fields: Vec<&str> = fields.iter().map(FieldName::as_str).collect();
            format!("{dataset}~{}", fields.join("~"))
        });
        parts.collect::<Vec<_>>().join("!")
    }

    fn add(&mut self, dataset: &DatasetId, field: FieldName) {
        if self.0.iter().map(|(_, fields)| fields.len()).sum::<usize>() >= MOST {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| known == dataset) {
            Some((_, fields)) if fields.contains(&field) => {}
            Some((_, fields)) => fields.push(field),
            None => self.0.push((dataset.clone(), vec![field])),
        }
    }

    /// Takes one field out, or a whole dataset.
    pub fn remove(&mut self, dataset: &str, field: Option<&str>) {
        for (_, fields) in self.0.iter_mut().filter(|(known, _)| known.as_str() == dataset) {
            fields.retain(|known| field.is_some_and(|field| known.as_str() != field));
        }
        self.0.retain(|(_, fields)| !fields.is_empty());
    }

    /// The fields that are wanted of a dataset.
    pub fn fields(&self, dataset: &str) -> &[FieldName] {
        self.0.iter().find(|(known, _)| known.as_str() == dataset).map_or(&[], |(_, fields)| fields)
    }

    /// Has the browser keep it.
    ///
    /// # Errors
    /// `internal` when the cookie cannot be set.
    pub fn keep(&self, answer: &mut HttpResponse) -> Result<()> {
        match self.0.is_empty() {
            true => set(answer, &cookies::gone(cookies::CART)),
            false => set(answer, &cookies::passing(cookies::CART, self.text())),
        }
    }
}

#[derive(Template)]
#[template(path = "cart.html")]
struct Shown<'a> {
    frame: &'a Frame,
    places: Places,
    cart: Cart,
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let frame = &*viewer.frame;
    let (places, caller) = (Places::of(&worker.gateway, frame.m.lang()), viewer.anyone().caller);
    let world = worker.gateway.world();
    let mut cart = Cart::of(&req);
    cart.0.retain(|(id, _)| {
        world.catalogue.datasets.get(id).is_some_and(|d| world.may_be_known_to(&caller, d))
    });
    frame.page(&Shown { frame, places, cart })
}

async fn change(viewer: Viewer, req: HttpRequest, posted: Posted) -> Result<HttpResponse> {
    let form = posted.read(&viewer.frame).await?;
    let (mut cart, dataset) = (Cart::of(&req), form.value("dataset"));
    match (form.value("do"), DatasetId::parse(dataset)) {
        ("add", Some(id)) => {
            form.all("field").filter_map(FieldName::parse).for_each(|field| cart.add(&id, field))
        }
        ("remove", _) => cart.remove(dataset, Some(form.value("field"))),
        ("empty", _) => cart.remove(dataset, None),
        _ => {}
    }
    let mut answer = go_on("/console/cart", None)?;
    cart.keep(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cart_comes_back_as_it_was_kept_and_nothing_else_does() {
        let kept = "civil.subsistence~status~name!hrss.pension~status";
        let mut cart = Cart::parse(kept);
        assert_eq!(cart.text(), kept);
        cart.remove("civil.subsistence", Some("status"));
        assert_eq!((cart.fields("civil.subsistence").len(), cart.fields("none").len()), (1, 0));
        cart.remove("civil.subsistence", None);
        assert_eq!(cart.text(), "hrss.pension~status");
        assert_eq!(Cart::parse("<script>~a!~b!ok~x y~<b>"), Cart::default());
        let many = (0..200).map(|n| format!("~f{n}")).collect::<String>();
        assert_eq!(Cart::parse(&format!("d{many}")).fields("d").len(), MOST);
    }
}
