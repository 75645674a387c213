// What goes onto paper: the matter alone, whole, black on white, whatever the screen shows.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { picture } from '../browser.mjs';
import { pictures } from '../settings.mjs';

export const title = 'a page that is printed has all that matters, black on white, and nothing that is only for a screen';

// A4 between margins of 15 mm, at 96 dots to the inch.
const WIDTH = 680;

export async function run(t, browser) {
  for (const [name, account, path] of [
    ['application', 'civil.lead', `/console/applications/${browser.demo.filed.in_review}`],
    ['overview', 'audit.auditor', '/console/security'],
    ['events', 'audit.auditor', '/console/security/events?kind=query'],
    ['event', 'audit.auditor', '/console/security/events/0'],
    ['coordinator', 'audit.coordinator', '/console/coordinator'],
    ['operation', 'housing.applicant', '/console/integrator/operations/post-v1-datasets-dataset-query'],
  ]) {
    await t.test(name, async () => {
      const { page, context, faults, go } = await browser.as(account);
      await go(path);
      // Somebody works in the dark.
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      await page.setViewportSize({ width: WIDTH, height: 900 });
      await picture(page, pictures, `paper-${name}`);
      assert.deepEqual(await page.evaluate(inPage), []);
      const file = join(pictures, `paper-${name}.pdf`);
      await page.pdf({ path: file, format: 'A4' });
      assert.ok(readFileSync(file).subarray(0, 5).equals(Buffer.from('%PDF-')));
      assert.deepEqual(faults, []);
      await context.close();
    });
  }
}

// Runs in the page.
function inPage() {
  const wrong = [];
  const seen = (element) => element.checkVisibility({ checkVisibilityCSS: true });
  const told = (element) => element.outerHTML.slice(0, 120);
  const bright = (colour) => colour.match(/\d+(\.\d+)?/g).slice(0, 3).every((part) => Number(part) > 200);
  if (!bright(getComputedStyle(document.body).backgroundColor)) wrong.push('the ground is not white');
  for (const element of document.querySelectorAll('main :is(h1, h2, p, td, th, dd, code, a, .outcome, .state)')) {
    if (seen(element) && bright(getComputedStyle(element).color)) wrong.push(`white on white: ${told(element)}`);
  }
  for (const element of document.querySelectorAll('main :is(.scroll, pre)')) {
    if (seen(element) && element.scrollWidth > element.clientWidth + 1) wrong.push(`cut off: ${told(element)}`);
  }
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) wrong.push('wider than the paper');
  for (const element of document.querySelectorAll('nav, button, .button, .menu, .switches')) {
    if (seen(element)) wrong.push(`only for a screen: ${told(element)}`);
  }
  for (const time of document.querySelectorAll('main time[title]')) {
    if (seen(time) && !getComputedStyle(time, '::after').content.includes('UTC')) wrong.push(`no UTC: ${told(time)}`);
  }
  return wrong;
}
