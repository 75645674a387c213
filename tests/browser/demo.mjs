// The demo that is looked at: a process of its own in a folder that is gone afterwards.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { program } from './settings.mjs';

// Serves a small world. What comes back: `base` (its URL), `about` (demo.json), `ask` (sends one of its
// examples), `stop`.
export async function demo() {
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-browser-'));
  const dir = join(scratch, 'world');
  const child = spawn(program, ['demo', '--dir', dir, '--people', '200'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((done) => child.once('exit', done));
  const complaints = [];
  child.stderr.on('data', (some) => complaints.push(some));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(scratch, { recursive: true, force: true });
  };
  const serves = new Promise((done) => {
    createInterface({ input: child.stdout }).on('line', (line) => line.startsWith('Sluice serves') && done(true));
  });
  if (!await Promise.race([serves, ended.then(() => false)])) {
    rmSync(scratch, { recursive: true, force: true });
    throw new Error(`the demo ended: ${Buffer.concat(complaints)}`);
  }
  const about = JSON.parse(readFileSync(join(dir, 'demo.json'), 'utf8'));
  const filed = JSON.parse(readFileSync(join(dir, 'applications.json'), 'utf8'));
  return { base: about.base_url, dir, about, filed, stop, ask: (example) => ask(dir, about, example) };
}

// Sends a query with the certificate of the system whose example it is.
function ask(dir, about, { system, method, path, body }) {
  const pem = (name) => readFileSync(join(dir, name));
  const options = {
    method,
    ca: pem(about.ca),
    cert: pem(`clients/${system}.pem`),
    key: pem(`clients/${system}.key`),
    headers: { 'content-type': 'application/json' },
  };
  return new Promise((done, failed) => {
    const sent = request(new URL(path, about.base_url), options, async (answer) => {
      let text = '';
      for await (const some of answer.setEncoding('utf8')) text += some;
      done({ status: answer.statusCode, body: JSON.parse(text) });
    });
    sent.on('error', failed).end(JSON.stringify(body));
  });
}
