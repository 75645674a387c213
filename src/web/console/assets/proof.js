// Checks a record's proof in the browser: the text that is shown is hashed (RFC 6962), led up the tree to
// the root of the checkpoint, and the checkpoint's signature is checked with the public key that was
// typed in (C2SP signed-note, Ed25519). Nothing is asked of the gateway, and what the record says is read
// out of the text that was proven. It finds a log that was altered; this script comes from the gateway
// too, so whoever doubts the gateway checks on another machine (`sluice audit check-proof`).

const place = document.getElementById("proof");
const KEPT = "sluice-vkey";
const encoder = new TextEncoder();
const text = (id) => document.getElementById(id).textContent;
const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const sha256 = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", data));
const node = (left, right) => sha256(join([1], left, right));

// The root that a leaf and its path lead to (RFC 9162, section 2.1.3.2). Sizes are below 2^53.
export async function root(leaf, index, size, path) {
  let fn = BigInt(index);
  let sn = BigInt(size) - 1n;
  if (fn > sn || fn < 0n) return null;
  let hash = leaf;
  for (const sibling of path) {
    if (sn === 0n || sibling.length !== 32) return null;
    if (fn & 1n || fn === sn) {
      hash = await node(sibling, hash);
      while (!(fn & 1n) && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      hash = await node(hash, sibling);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n ? hash : null;
}

// `name+hash+key` of a signed note's verifier: the key's hash is checked, and its kind is Ed25519.
export async function verifier(line) {
  const [, name, hash, key] = line.trim().match(/^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/) ?? [];
  if (!key) return null;
  const data = bytes(key);
  if (data.length !== 33 || data[0] !== 1) return null;
  const id = (await sha256(join(encoder.encode(`${name}\n`), data))).slice(0, 4);
  const shown = [...id].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return shown === hash ? { name, id, key: data.slice(1) } : null;
}

// The signature of a note by that verifier, and the text that is signed; null where there is none.
export function signature(note, by) {
  const end = note.lastIndexOf("\n\n");
  if (end < 0) return null;
  for (const line of note.slice(end + 2).split("\n")) {
    const [, name, data] = line.match(/^— (\S+) (\S+)$/) ?? [];
    if (name !== by.name) continue;
    const signed = bytes(data);
    if (signed.length === 68 && same(signed.slice(0, 4), by.id)) {
      return { signed: encoder.encode(note.slice(0, end + 1)), value: signed.slice(4) };
    }
  }
  return null;
}

async function signatureHolds(note, by) {
  const found = signature(note, by);
  if (!found) return false;
  const key = await crypto.subtle.importKey("raw", by.key, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, key, found.value, found.signed);
}

function tell(step, holds) {
  const line = document.getElementById(`step-${step}`);
  line.dataset.state = holds ? "good" : "bad";
  line.querySelector(".sign").textContent = holds ? "✓" : "✕";
  line.querySelector(".word").textContent = holds ? place.dataset.holds : place.dataset.fails;
  return holds;
}

// Nothing of an earlier run may be left standing.
function reset() {
  for (const line of document.querySelectorAll(".checks li")) {
    delete line.dataset.state;
    line.querySelector(".sign").textContent = "·";
    line.querySelector(".word").textContent = "";
  }
  document.getElementById("proven").hidden = true;
  const result = document.getElementById("proof-result");
  delete result.dataset.state;
  result.textContent = "";
}

// What the proven record says, read out of its text.
function show(record) {
  for (const place of document.querySelectorAll("#proven dd")) {
    const value = place.dataset.of.split("/").reduce((object, name) => object?.[name], record);
    const text = Array.isArray(value)
      ? value.map(({ field, form, code, rule }) => [field, form ?? code, rule].filter(Boolean).join(" · ")).join("\n")
      : String(value ?? "");
    place.textContent = text;
    place.hidden = place.previousElementSibling.hidden = text === "";
  }
  document.getElementById("proven").hidden = false;
}

async function check(event) {
  event.preventDefault();
  reset();
  const result = document.getElementById("proof-result");
  let all = false;
  try {
    const [leaf, note, line] = [text("leaf"), text("checkpoint"), document.getElementById("vkey").value.trim()];
    const index = place.dataset.index;
    const path = [...document.querySelectorAll("#path code")].map((hash) => bytes(hash.textContent));
    const [origin, size, rootHash] = note.split("\n");
    const record = JSON.parse(leaf);
    const by = await verifier(line);
    const hash = await sha256(join([0], encoder.encode(leaf)));
    const led = await root(hash, index, size, path);
    const steps = [
      tell("says", String(record.index) === index),
      tell("path", led !== null && same(led, bytes(rootHash))),
      tell("key", by !== null && by.name === origin),
      tell("signature", by !== null && (await signatureHolds(note, by))),
    ];
    all = steps.every(Boolean);
    result.textContent = all ? place.dataset.proven : place.dataset.unproven;
    if (all) {
      show(record);
      localStorage.setItem(KEPT, line);
    }
  } catch (fault) {
    result.textContent = fault.name === "NotSupportedError" ? place.dataset.unsupported : place.dataset.unproven;
  }
  result.dataset.state = all ? "good" : "bad";
  result.hidden = false;
}

// A key that proved a record before is offered by its name and hash, to be compared, and not put in.
async function offer() {
  const line = localStorage.getItem(KEPT);
  const by = line && (await verifier(line).catch(() => null));
  if (!by) return;
  const kept = document.getElementById("kept");
  kept.querySelector("code").textContent = line.trim().split("+").slice(0, 2).join("+");
  kept.querySelector("button").addEventListener("click", () => {
    document.getElementById("vkey").value = line;
    kept.hidden = true;
  });
  kept.hidden = false;
}

if (place) {
  place.hidden = false;
  document.getElementById("proof-form").addEventListener("submit", check);
  offer();
}
