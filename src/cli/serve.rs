//! `sluice serve`: the gateway.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use super::leash;
use super::notify::{self, Notifier};
use crate::app::anchors::Anchors;
use crate::app::apply::{self, NotApplied};
use crate::app::consents::Consents;
use crate::app::gateway::Parts;
use crate::app::keys::Keys;
use crate::app::lease::Lease;
use crate::app::notices::{self, Postman};
use crate::app::session::Entry;
use crate::app::session::oidc::Abroad;
use crate::app::world::World;
use crate::app::{Adapters, Gateway};
use crate::base::{Clock, Finding, Findings, SystemClock};
use crate::config::{Config, DatabaseSection, Supervisor};
use crate::jobs;
use crate::oidc::IdentityProvider;
use crate::store::anchors::{self, AnchorStore};
use crate::store::audit::{AuditLog, Options, upkeep as log_upkeep};
use crate::store::db::Server;
use crate::store::state::{Quotas, StateStore};
use crate::telemetry::{self, Metrics};
use crate::web::server::{self, Bound, House};
use crate::web::tls::Tls;

/// Where the gateway's configuration is.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The configuration; deploy/sluice.example.toml explains every key
    #[arg(long, short)]
    config: PathBuf,
    /// Stop when standard input closes
    #[arg(long, hide = true)]
    leash: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match Config::read(&args.config) {
        Err(findings) => super::fail(findings),
        Ok(config) => {
            let served = actix_rt::System::new().block_on(serve(args, config));
            served.map_or_else(super::fail, |()| ExitCode::SUCCESS)
        }
    }
}

/// Everything that can be wrong is found before the first listener is bound.
async fn serve(args: &Args, config: Config) -> Result<(), String> {
    let _log = telemetry::log::start_with(&config.log, config.traces.as_ref()).map_err(text)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = Arc::new(Metrics::default());
    let tls = Tls::load(config.tls.clone(), Arc::clone(&clock)).map_err(text)?;
    let adapters = Adapters::new(&args.config.display().to_string(), &config.adapter).map_err(text)?;
    let gateway = Arc::new(build(args, &config, Arc::clone(&clock), Arc::clone(&metrics))?);
    let postman = postman(&config, &gateway).map_err(text)?;
    gateway.take_up_changes().await.map_err(text)?;

    let house = House { gateway: Arc::clone(&gateway), adapters, tls: Arc::clone(&tls), metrics };
    let bound = server::bind(&house, &config.gateway, &config.limits).map_err(text)?;
    // Before anybody is told that it is ready: who is told may ask it to stop at once.
    let mut stops = Stops::listen(args.leash)?;
    let supervisor = Supervisor::of_environment();
    let notifier = Arc::new(Notifier::new(supervisor.as_ref()));
    announce(&bound);
    notifier.ready();
    let work = [
        actix_rt::spawn(jobs::take_up_changes(Arc::clone(&gateway))),
        actix_rt::spawn(jobs::record_surplus(Arc::clone(&gateway))),
        actix_rt::spawn(jobs::measure(Arc::clone(&gateway))),
        actix_rt::spawn(jobs::fire_timers(Arc::clone(&gateway))),
        actix_rt::spawn(jobs::sweep_emergencies(Arc::clone(&gateway))),
        actix_rt::spawn(jobs::forget_consents(Arc::clone(&gateway))),
        actix_rt::spawn(jobs::anchor(Arc::clone(&gateway))),
        actix_rt::spawn(jobs::watch_anchors(Arc::clone(&gateway))),
        actix_rt::spawn(watch_tls(tls, Arc::clone(&gateway))),
        actix_rt::spawn(apply_on_hangup(Arc::clone(&gateway), config.clone())),
        actix_rt::spawn(carry_notices(Arc::clone(&gateway), postman)),
        actix_rt::spawn(give_signs_of_life(Arc::clone(&notifier), supervisor, Arc::clone(&gateway))),
    ];
    let leaving = Duration::from_secs(config.limits.leaving_seconds.into());
    let stop = async {
        stops.next().await;
        notifier.stopping();
        gateway.leave();
        tracing::info!(leaving.seconds = leaving.as_secs(), "stopping: work in hand is finished first");
        // Whoever asks twice does not want to wait until everybody has noticed.
        tokio::select! {
            () = tokio::time::sleep(leaving) => {}
            () = stops.next() => {}
        }
    };
    bound.serve(stop).await.map_err(text)?;
    work.iter().for_each(|job| job.abort());
    // What was counted and not yet recorded is recorded now: there is no later.
    gateway.record_surplus().await.map_err(text)?;
    // Not left to the last handle: a job that is being aborted, or a worker that is going, may hold
    // one longer than the process lasts.
    tokio::task::spawn_blocking(move || gateway.log().close()).await.map_err(text)?;
    tracing::info!("stopped");
    Ok(())
}

/// Opens what the gateway keeps, and builds the first world.
fn build(
    args: &Args,
    config: &Config,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
) -> Result<Gateway, String> {
    let keys = Keys::read(&config.audit).map_err(text)?;
    let public = keys.signing.public().clone();
    // The trail tells who asked about whom: nobody else on the machine has business there.
    super::private_dir(&config.gateway.data_dir)
        .map_err(|e| format!("{}: {e}", config.gateway.data_dir.display()))?;
    // The log first: it holds the lock that keeps a second gateway out of this folder.
    let server = config.database.as_ref().map(Server::new).transpose().map_err(text)?;
    let log = AuditLog::open(Options {
        data_dir: config.gateway.data_dir.clone(),
        server: server.clone(),
        checkpoint_copy: config.audit.checkpoint_copy_file.clone(),
        signing_key: keys.signing,
        previous_key: keys.previous,
        subject_key: keys.subjects,
        queue: config.audit.queue.get(),
        clock: Arc::clone(&clock),
    })
    .map_err(text)?;
    if let Some(server) = &server
        && !log_upkeep::footing(server).map_err(text)?.standby
    {
        tracing::warn!(
            "the database server has commits wait for no standby (synchronous_standby_names): its loss loses what was answered"
        );
    }
    let state = StateStore::of(config).map_err(text)?;
    if state.newest_version().map_err(text)?.is_none() {
        first_version(&state, config, clock.as_ref())?;
    }
    warn_when_files_differ(&state, config);
    let version =
        state.newest_version().map_err(text)?.ok_or("no version of the catalogue could be stored")?;
    let world = World::build(&version, &state.keys().map_err(text)?, None).map_err(text)?;
    let quotas = Quotas::start(&state).map_err(text)?;
    let file = args.config.display().to_string();
    let store = || AnchorStore::open(&config.gateway.data_dir.join(anchors::DATABASE));
    let anchors = Anchors::new(&file, config, public, store, clock.now()).map_err(text)?;
    let entry = Entry::new(keys.credentials, &config.sessions).ok_or("the machine gives no randomness")?;
    let provider = config.oidc.as_ref().map(IdentityProvider::new).transpose().map_err(text)?;
    let entry = entry.with_provider(provider.map(|provider| Abroad { provider, journeys: keys.journeys }));
    log_warnings(&world.policy.worn(clock.now()));
    Ok(Gateway::new(Parts {
        clock,
        log,
        anchors,
        state,
        quotas,
        world,
        pseudonyms: keys.pseudonyms,
        counting: keys.counting,
        entry,
        consents: Consents::new(keys.consents, &config.history),
        lease: Lease::new(config.database.as_ref().map(DatabaseSection::stale_after)),
        limits: config.limits.clone(),
        metrics,
    }))
}

fn first_version(state: &StateStore, config: &Config, clock: &dyn Clock) -> Result<(), String> {
    match apply::apply(state, &config.gateway.catalogue_dir, clock) {
        Ok((_, warnings)) => {
            log_warnings(&warnings);
            Ok(())
        }
        Err(NotApplied::Refused(findings)) => Err(findings.to_string()),
        Err(NotApplied::State(error)) => Err(error.to_string()),
    }
}

/// The stored version is served, whatever the folder holds meanwhile: say so when they differ.
fn warn_when_files_differ(state: &StateStore, config: &Config) {
    let stored = state.newest_version().ok().flatten();
    let files = apply::read_sources(&config.gateway.catalogue_dir).ok();
    if stored.zip(files).is_some_and(|(stored, files)| stored.sources != files) {
        tracing::warn!(
            "the files of the catalogue differ from the version in force; `sluice apply` puts them in force"
        );
    }
}

/// SIGHUP does what `sluice apply` does, for who is used to it.
async fn apply_on_hangup(gateway: Arc<Gateway>, config: Config) {
    let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
    while hangups.recv().await.is_some() {
        let (state, dir) = (gateway.state(), config.gateway.catalogue_dir.clone());
        let applied = tokio::task::spawn_blocking(move || apply::apply(&state, &dir, &SystemClock)).await;
        match applied {
            Ok(Ok((_, warnings))) => log_warnings(&warnings),
            Ok(Err(NotApplied::Refused(findings))) => {
                tracing::error!(findings = %findings, "refused whole: the version in force stays as it is");
            }
            Ok(Err(NotApplied::State(error))) => tracing::error!(error = %error, "could not be stored"),
            Err(error) => tracing::error!(error = %error, "could not be applied"),
        }
    }
}

fn log_warnings(warnings: &Findings) {
    for warning in &warnings.0 {
        tracing::warn!(finding = %warning, "catalogue");
    }
}

/// Who carries notices, if the configuration says how.
fn postman(config: &Config, gateway: &Gateway) -> Result<Option<Postman>, Finding> {
    let Some(section) = &config.notices else {
        tracing::warn!("without [notices] in the configuration nobody is told of anything");
        return Ok(None);
    };
    let (clock, metrics): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), Arc::clone(gateway.metrics()));
    Postman::new(section, gateway.state(), clock, metrics, notices::directory(gateway.state())).map(Some)
}

async fn carry_notices(gateway: Arc<Gateway>, postman: Option<Postman>) {
    if let Some(postman) = postman {
        jobs::carry_notices(gateway, postman).await;
    }
}

/// Takes up changed certificates and revocation lists.
async fn watch_tls(tls: Arc<Tls>, gateway: Arc<Gateway>) {
    jobs::every(Duration::from_secs(1), async || {
        let watched = Arc::clone(&tls);
        if let Err(error) = tokio::task::spawn_blocking(move || watched.refresh()).await {
            tracing::error!(error = %error, "the certificates could not be looked at");
        }
        let (status, now) = (tls.status(), gateway.now());
        let since = |at: crate::base::Timestamp| at.seconds() - now.seconds();
        gateway.metrics().certificates(
            status.crl_issued.map_or(0, |at| -since(at)),
            status.crl_ends.map_or(i64::MAX, since),
            since(status.certificate_ends),
        );
    })
    .await;
}

/// Tells the service manager that the gateway lives, unless something is stuck that a restart would
/// mend.
async fn give_signs_of_life(notifier: Arc<Notifier>, supervisor: Option<Supervisor>, gateway: Arc<Gateway>) {
    let Some(patience) = supervisor.and_then(|supervisor| supervisor.patience) else { return };
    jobs::every(notify::rhythm(patience), async || {
        // Threads that look at databases may be stuck, too: then this takes until there are none left.
        gateway.readiness().await;
        match gateway.stuck() {
            None => notifier.alive(),
            Some(what) => tracing::error!(what, "stuck: the service manager is to start this gateway anew"),
        }
    })
    .await;
}

fn announce(bound: &Bound) {
    tracing::info!(listen = %bound.address, ops.listen = %bound.ops_address, "ready");
}

/// What asks the process to stop.
struct Stops {
    interrupt: Signal,
    terminate: Signal,
    loose: Arc<Notify>,
}

impl Stops {
    /// From now on nothing of it is missed.
    fn listen(leashed: bool) -> Result<Self, String> {
        let loose = Arc::new(Notify::new());
        if leashed {
            let loose = Arc::clone(&loose);
            leash::hold(move || loose.notify_one());
        }
        let listen = |kind| signal(kind).map_err(text);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            loose,
        })
    }

    /// Waits until it is asked, or asked once more.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = self.loose.notified() => {}
        }
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
