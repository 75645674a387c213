//! Many applications at once, with their events: for statistics.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::approval::application::{Application, State};
use crate::approval::event::Event;
use crate::base::ids::ApplicationId;
use crate::store::state::schema::{application_events, applications};
use crate::store::state::{StateError, StateStore};

/// Applications whose events are read by one statement.
const CHUNK: usize = 200;

impl StateStore {
    /// The newest applications that stand in one of `states`, at most `limit`, the newest first. One with
    /// an event that this program cannot read is left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn newest_applications(
        &self,
        states: &[State],
        limit: usize,
    ) -> Result<Vec<Application>, StateError> {
        let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let connection = &mut self.connection()?;
        let ids = applications::table
            .filter(applications::state.eq_any(states))
            .order(applications::id.desc())
            .limit(i64::try_from(limit).map_err(StateError::new)?)
            .select(applications::id)
            .load::<String>(connection)?;
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(CHUNK) {
            let rows = application_events::table
                .filter(application_events::application.eq_any(ids))
                .order((application_events::application.desc(), application_events::seq))
                .select((application_events::application, application_events::event))
                .load::<(String, String)>(connection)?;
            let mut events: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (id, event) in rows {
                events.entry(id).or_default().push(event);
            }
            for (id, events) in events.into_iter().rev() {
                match read(&id, &events) {
                    Ok(application) => found.push(application),
                    // Why would quote what people wrote.
                    Err(_) => tracing::warn!(application = id, "left out: an event of it cannot be read"),
                }
            }
        }
        Ok(found)
    }
}

fn read(id: &str, events: &[String]) -> Result<Application, StateError> {
    let id = ApplicationId::parse(id)
        .ok_or_else(|| StateError::new("application_events holds a malformed row"))?;
    let events = events.iter().map(|event| serde_json::from_str(event));
    let events: Vec<Event> = events.collect::<Result<_, _>>().map_err(StateError::new)?;
    Application::of(id, events).map_err(StateError::new)
}
