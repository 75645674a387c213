// The console in a real browser: one demo, one chromium, a story for each user.
//
// node [--test-name-pattern=…] all.mjs TOOLS PROGRAM PICTURES (settings.mjs says what these are).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser } from './browser.mjs';
import { demo } from './demo.mjs';
import * as approver from './stories/approver.mjs';
import * as breaking from './stories/breaking.mjs';
import * as hostile from './stories/hostile.mjs';
import * as live from './stories/live.mjs';
import * as no_script from './stories/no_script.mjs';
import * as officers from './stories/officers.mjs';
import * as paper from './stories/paper.mjs';
import * as requester from './stories/requester.mjs';
import * as security from './stories/security.mjs';
import * as sign_in from './stories/sign_in.mjs';
import { print } from './weight.mjs';

let world;
let browser;

before(async () => {
  world = await demo();
  browser = await Browser.open(world);
  // Something to look at in the log.
  for (const query of world.about.examples.filter(({ system, body }) => system && body)) await world.ask(query);
});

after(async () => {
  await browser?.close();
  await world?.stop();
  print();
});

for (const { title, run } of [
  sign_in, requester, hostile, approver, live, no_script, officers, security, paper, breaking,
]) {
  test(title, (t) => run(t, browser));
}

test('in all of that no page broke the policy, asked anybody else, or reported an error', () => {
  assert.deepEqual(browser.reported, []);
});
