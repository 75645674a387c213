//! What things are called: departments, datasets, fields, purposes, systems, in the reader's language.
//!
//! Invariant: a name that the catalogue of today does not have shows as its id.

use std::sync::Arc;

use time::Date;

use crate::app::Gateway;
use crate::app::world::World;
use crate::base::Lang;
use crate::base::ids::{DepartmentId, PurposeId};

/// The names of one world.
pub struct Places {
    world: Arc<World>,
    lang: Lang,
}

impl Places {
    /// The names as they are now.
    pub fn of(gateway: &Gateway, lang: Lang) -> Self {
        Self { world: gateway.world(), lang }
    }

    /// A department's name.
    pub fn department(&self, id: &str) -> String {
        let found = DepartmentId::parse(id).and_then(|id| self.world.catalogue.departments.get(&id));
        found.map_or_else(|| id.to_owned(), |department| department.title.lang(self.lang).to_owned())
    }

    /// A dataset's name.
    pub fn dataset(&self, id: &str) -> String {
        self.world.dataset(id).map_or_else(|| id.to_owned(), |d| d.entry.title.lang(self.lang).to_owned())
    }

    /// A field's name.
    pub fn field(&self, dataset: &str, field: &str) -> String {
        let found = self.world.dataset(dataset).and_then(|dataset| dataset.field(field));
        found.map_or_else(|| field.to_owned(), |field| field.title.lang(self.lang).to_owned())
    }

    /// A purpose's name.
    pub fn purpose(&self, id: &str) -> String {
        let found = PurposeId::parse(id).and_then(|id| self.world.catalogue.purposes.get(&id));
        found.map_or_else(|| id.to_owned(), |purpose| purpose.title.lang(self.lang).to_owned())
    }

    /// The law behind a purpose.
    pub fn purpose_basis(&self, id: &str) -> String {
        let found = PurposeId::parse(id).and_then(|id| self.world.catalogue.purposes.get(&id));
        found.map(|purpose| purpose.basis.clone()).unwrap_or_default()
    }

    /// A system's name.
    pub fn system(&self, id: &str) -> String {
        let found = self.world.registry.system(id);
        found.map_or_else(|| id.to_owned(), |system| system.title.lang(self.lang).to_owned())
    }
}

/// A day as an answer has it: `2026-12-04`.
pub fn day(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next()?.parse().ok()?;
    let month = parts.next()?.parse::<u8>().ok()?.try_into().ok()?;
    Date::from_calendar_date(year, month, parts.next()?.parse().ok()?).ok()
}
