// What changes while a page is open: how much waits, that somebody else changed what is shown, the
// numbers of the overview. Nothing that is shown is replaced but numbers; what is typed stays.
//
// Asked for no more often than every 20 seconds, not while the page is hidden, ever more rarely while
// there is no answer, and not at all once the session is over.

const EVERY = 20_000;
const RARELY = 300_000;

const place = document.querySelector("[data-live]");
const badge = document.querySelector("[data-waiting]");
let pause = EVERY;
let asked = 0;
let before;
let timer;
let over = false;

// A note from the page's own templates, said politely, once.
function note(name) {
  if (place.dataset.noted === name) return;
  place.dataset.noted = name;
  place.replaceChildren(document.getElementById(`live-${name}`).content.cloneNode(true));
}

function show(now) {
  if (badge && now.waiting !== null) {
    badge.hidden = now.waiting === 0;
    badge.textContent = now.shown;
    if (before !== undefined && now.waiting !== before) {
      if (document.getElementById("live-list")) note("list");
      else if (now.waiting > before && !place.dataset.noted) place.textContent = now.said;
    }
    before = now.waiting;
  }
  for (const [name, number] of Object.entries(now.figures)) {
    const figure = document.querySelector(`[data-figure="${name}"]`);
    if (figure) figure.textContent = number;
  }
  const at = document.querySelector("[data-figures-at]");
  if (at && now.figures_at) at.textContent = now.figures_at;
  if (now.changed) note("changed");
  if (now.signed_out) note("signed-out");
  over = now.signed_out;
}

async function ask() {
  asked = Date.now();
  try {
    const answer = await fetch(place.dataset.live, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    over = answer.status === 403 || answer.status === 404;
    if (answer.ok) show(await answer.json());
    pause = answer.ok ? EVERY : Math.min(pause * 2, RARELY);
  } catch {
    pause = Math.min(pause * 2, RARELY);
  }
  next();
}

function next() {
  clearTimeout(timer);
  if (!over && !document.hidden) timer = setTimeout(ask, Math.max(0, asked + pause - Date.now()));
}

if (place) {
  document.addEventListener("visibilitychange", next);
  next();
}
