// The security officers: one finds an event and proves it, the other stops who caused it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { look } from '../look.mjs';

export const title = 'an auditor finds an event and has its proof checked in the browser; a security administrator stops what is wrong';

export async function run(t, browser) {
  // An export is cut off in it.
  const auditor = await browser.as('audit.auditor', { provokes: true });
  const { page, faults, go } = auditor;
  const key = readFileSync(join(browser.demo.dir, browser.demo.about.audit_public_key), 'utf8').trim();

  await t.test('the auditor narrows a search down to one event', async () => {
    await go('/console/security/events');
    await page.getByLabel('Operator').fill('hc-0231');
    await page.getByRole('button', { name: 'Search' }).click();
    assert.match(page.url(), /operator=hc-0231/);
    await page.locator('.facet a', { hasText: 'Query' }).first().click();
    await look(browser, auditor, 'events-narrowed');
  });

  await t.test('the search is kept under a name, whatever that is, and opened again', async () => {
    const name = '<img src=x onerror=alert(1)>\u202e"\'';
    const saved = page.locator('#saved');
    await saved.getByText('Save this search').first().click();
    await page.locator('[id="save/name"]').fill(name);
    await page.locator('[id="save/last"]').selectOption({ label: 'Last 7 days' });
    await saved.getByRole('button', { name: 'Save this search' }).click();
    await page.getByRole('status').filter({ hasText: 'The search is saved' }).waitFor();
    await look(browser, auditor, 'events-saved');
    await go('/console/security/events');
    const link = saved.getByRole('link', { name: /img src/ });
    assert.match(await link.getAttribute('href'), /last=7.*operator=hc-0231/);
    await link.click();
    assert.equal(await page.getByLabel('Operator').inputValue(), 'hc-0231');
    assert.equal(await saved.locator('a[aria-current]').count(), 1);
  });

  await t.test('one of what it finds is looked at', async () => {
    await page.locator('main td a[href*="/events/"]').last().click();
    await look(browser, auditor, 'event');
  });

  await t.test('its proof holds, by the key that the auditor brings and nothing of the gateway', async () => {
    const asked = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.getByLabel('Public key of the log').fill(key);
    await page.getByRole('button', { name: 'Check the proof' }).click();
    await page.locator('#proof-result[data-state=good]').waitFor();
    assert.equal(await page.locator('.checks [data-state=good]').count(), 4);
    assert.deepEqual(asked, [], 'nobody was asked');
    await look(browser, auditor, 'event-proven', { still: true });
  });

  for (const [what, change] of [
    ['one character of the record', () => { leaf.textContent = leaf.textContent.replace(/\d(?=\D*$)/, (digit) => (Number(digit) + 1) % 10); }],
    ['one hash of the path', () => { const hash = path.querySelector('code'); hash.textContent = hash.textContent.replace(/^./, (char) => (char === 'A' ? 'B' : 'A')); }],
    ['the size in the checkpoint', () => { checkpoint.textContent = checkpoint.textContent.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) + 1}\n`); }],
  ]) {
    await t.test(`with ${what} changed, it does not hold`, async () => {
      await page.reload();
      await page.evaluate(change);
      await page.getByLabel('Public key of the log').fill(key);
      await page.getByRole('button', { name: 'Check the proof' }).click();
      await page.locator('#proof-result[data-state=bad]').waitFor();
    });
  }

  await t.test('the history of a person is shown once a second officer has consented', async () => {
    const example = browser.demo.about.examples.find(({ body, status }) => body?.subjects && status === 200);
    const number = example.body.subjects[0].id_number;
    const fill = async (form) => {
      await page.locator(`[id="${form}/value"]`).fill(number);
      await page.locator(`[id="${form}/case"]`).fill('JC-2026-0007');
    };
    await go('/console/security/person');
    await fill('look');
    await page.getByRole('button', { name: 'Show the history' }).click();
    await page.getByRole('alert').filter({ hasText: 'A second officer' }).waitFor();
    await look(browser, auditor, 'person-consent-required', { still: true });
    await fill('ask');
    await page.locator('[id="ask/reason"]').fill('投诉核查：经办人员超范围查询');
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    await page.getByRole('status').filter({ hasText: 'It is asked' }).waitFor();
    assert.equal(await page.locator('#own tbody tr').count(), 1);
    assert.equal(await page.getByRole('button', { name: 'Consent', exact: true }).count(), 0, 'nobody consents to their own');

    const second = await browser.as('audit.second');
    await second.go('/console/security');
    await look(browser, second, 'overview-consent-waits');
    await second.page.getByRole('link', { name: /waiting for your consent/ }).click();
    await second.page.locator('#waiting td', { hasText: 'JC-2026-0007' }).waitFor();
    assert.ok(!(await second.page.content()).includes(number), 'the second officer does not see whom it is about');
    await look(browser, second, 'person-consent-waits');
    await second.page.getByRole('button', { name: 'Consent', exact: true }).click();
    await second.page.getByRole('status').filter({ hasText: 'Your consent is recorded' }).waitFor();
    assert.deepEqual(second.faults, []);
    await second.context.close();

    await go('/console/security/person');
    await page.locator('#own td', { hasText: 'Consented' }).waitFor();
    await fill('look');
    await page.getByRole('button', { name: 'Show the history' }).click();
    await page.locator('main td a[href*="/events/"]').first().waitFor();
    assert.ok(!(await page.content()).includes(number), 'the number is not shown again');
    await look(browser, auditor, 'person-found', { still: true });
  });

  await t.test('a part of the log is taken away, with its progress', async () => {
    await go('/console/security/export');
    await page.locator('#first').fill('0');
    await page.locator('#count').fill('12');
    // Files of five records: three of them, and the second is kept waiting.
    await page.locator('form[data-export]').evaluate((form) => { form.dataset.step = 5; });
    let goOn;
    const waits = new Promise((done) => { goOn = done; });
    await page.route(/part\?first=5&/, async (route) => { await waits; await route.continue(); });
    const files = [];
    page.on('download', (file) => files.push(file));
    await page.getByRole('button', { name: 'Take it' }).click();
    await page.getByText('5 / 12').waitFor();
    const bar = page.locator('form[data-export] progress');
    assert.deepEqual(await bar.evaluate(({ value, max, hidden }) => [value, max, hidden]), [5, 12, false]);
    await look(browser, auditor, 'export-under-way', { still: true });
    goOn();
    await page.getByText('12 / 12 · Done.').waitFor();
    assert.equal(await bar.evaluate(({ value }) => value), 12);
    assert.deepEqual(files.map((file) => file.suggestedFilename()), ['log-0.jsonl', 'log-5.jsonl', 'log-10.jsonl']);
    const lines = readFileSync(await files[2].path(), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines.length, 3, 'a checkpoint and two records');

    // What fails half-way says so, and can be begun again.
    await page.route(/export\/part/, (route) => route.abort());
    await page.getByRole('button', { name: 'Take it' }).click();
    await page.getByText('It stopped. Try again.').waitFor();
    assert.ok(await page.getByRole('button', { name: 'Take it' }).isEnabled());
    await page.unrouteAll();
    assert.deepEqual(faults.splice(0).filter((fault) => !/ERR_FAILED/.test(fault)), []);
    await auditor.context.close();
  });

  await t.test('and without script, one file after the other', async () => {
    const window = await browser.as('audit.auditor', { script: false });
    await window.go('/console/security/export');
    await window.page.locator('#first').fill('0');
    const [taken] = await Promise.all([
      window.page.waitForEvent('download'),
      window.page.getByRole('button', { name: 'Take it' }).click(),
    ]);
    assert.equal(taken.suggestedFilename(), 'log-0.jsonl');
    const lines = readFileSync(await taken.path(), 'utf8').trim().split('\n');
    assert.ok(lines.length > 10, `${lines.length} lines`);
    await window.page.getByText('File 1 of 1').waitFor();
    await window.page.getByText('This is the last file.').waitFor();
    await window.context.close();
  });

  await t.test('the security administrator stops a system, and it is refused from then on', async () => {
    const officer = await browser.as('audit.security');
    const example = browser.demo.about.examples.find(({ system, body, status }) => system === 'service.onestop' && body && status === 200);
    assert.equal((await browser.demo.ask(example)).status, 200);
    // From where it shows: a system that called for the first time.
    await officer.go('/console/security');
    await officer.page.getByRole('row', { name: /service\.onestop/ }).getByRole('link', { name: 'Suspend' }).click();
    assert.match(officer.page.url(), /system=service\.onestop/);
    const form = officer.page.locator('form', { hasText: 'Suspend a system' });
    assert.equal(await form.locator('select[name=name]').inputValue(), 'service.onestop');
    await form.getByRole('button', { name: 'Suspend' }).click();
    await officer.page.locator('td', { hasText: 'service.onestop' }).waitFor();
    assert.equal((await browser.demo.ask(example)).status, 403);
    await look(browser, officer, 'stopped-system');
    // One of two who must agree.
    await officer.page.getByRole('button', { name: 'Let it go on' }).click();
    await officer.page.getByText('one more is needed').waitFor();
    assert.equal((await browser.demo.ask(example)).status, 403);
    assert.deepEqual(officer.faults, []);
    await officer.context.close();
  });

  await t.test('and a grant, of which both sides are told', async () => {
    const officer = await browser.as('audit.security');
    const grant = browser.demo.filed.active.replace('A-', 'G-');
    await officer.go(`/console/security/stopped?grant=${grant}`);
    const form = officer.page.locator('form', { hasText: 'Suspend a grant' });
    assert.equal(await form.locator('[name=grant]').inputValue(), grant);
    await form.locator('[name=note]').fill('用量异常，先停后查');
    await form.getByRole('button', { name: 'Suspend' }).click();
    await officer.page.getByRole('status').filter({ hasText: 'The grant is suspended' }).waitFor();
    assert.deepEqual(officer.faults, []);
    await officer.context.close();
  });
}
