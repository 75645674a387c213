// The four pages that the READMEs show, in the READMEs' languages, small enough for a repository.
//
// node screenshots.mjs TOOLS PROGRAM IMAGES (settings.mjs says what these are).

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Browser } from './browser.mjs';
import { demo } from './demo.mjs';
import { pictures } from './settings.mjs';

const LANG = '__Host-sluice-lang';
const HEIGHT = 860;

const world = await demo();
const browser = await Browser.open(world);
try {
  for (let round = 0; round < 3; round += 1) {
    for (const query of world.about.examples.filter(({ system, body }) => system && body)) await world.ask(query);
  }
  for (const lang of ['en', 'zh-CN']) {
    await take('application', lang, 'civil.leader', `/console/applications/${world.filed.in_review}`);
    await take('apply', lang, 'housing.applicant', '/console/apply?dataset=civil.subsistence&purpose=housing-aid.review', choose);
    await take('security', lang, 'audit.auditor', '/console/security');
    await take('proof', lang, 'audit.auditor', '/console/security/events?kind=query', prove);
  }
} finally {
  await browser.close();
  await world.stop();
}

async function take(name, lang, account, path, first = async () => {}) {
  const { page, context, go } = await browser.as(account);
  await context.addCookies([{ name: LANG, value: lang, url: world.base }]);
  await page.setViewportSize({ width: 1280, height: HEIGHT });
  await go(path);
  await first(page);
  await page.evaluate(() => {
    document.activeElement?.blur();
    scrollTo(0, 0);
  });
  const cdp = await context.newCDPSession(page);
  const { data } = await cdp.send('Page.captureScreenshot', { format: 'webp', quality: 80 });
  writeFileSync(join(pictures, `console-${name}.${lang}.webp`), Buffer.from(data, 'base64'));
  await context.close();
}

async function choose(page) {
  for (const field of ['monthly_income', 'mobile']) await page.locator(`input[value="${field}"]`).check();
}

async function prove(page) {
  await page.locator('main td a[href*="/events/"]').first().click();
  await page.locator('#vkey').fill(readFileSync(join(world.dir, world.about.audit_public_key), 'utf8').trim());
  await page.locator('#proof-form button.primary').click();
  await page.locator('#proof-result[data-state=good]').waitFor();
}
