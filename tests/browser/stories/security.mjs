// The security officers: one finds an event and proves it, the other stops who caused it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { look } from '../look.mjs';

export const title = 'an auditor finds an event and has its proof checked in the browser; a security administrator stops what is wrong';

export async function run(t, browser) {
  const auditor = await browser.as('audit.auditor');
  const { page, faults, go } = auditor;
  const key = readFileSync(join(browser.demo.dir, browser.demo.about.audit_public_key), 'utf8').trim();

  await t.test('the auditor narrows a search down to one event', async () => {
    await go('/console/security/events');
    await page.getByLabel('Operator').fill('hc-0231');
    await page.getByRole('button', { name: 'Search' }).click();
    assert.match(page.url(), /operator=hc-0231/);
    await page.locator('.facet a', { hasText: 'Query' }).first().click();
    await look(browser, auditor, 'events-narrowed');
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

  await t.test('the history of a person is asked for with a case', async () => {
    const example = browser.demo.about.examples.find(({ body, status }) => body?.subjects && status === 200);
    await go('/console/security/person');
    await page.locator('[name="/value"]').fill(example.body.subjects[0].id_number);
    await page.locator('[name="/case"]').fill('JC-2026-0007');
    await page.getByRole('button', { name: 'Show the history' }).click();
    await page.locator('main table, main .empty').first().waitFor();
    assert.ok(!(await page.content()).includes(example.body.subjects[0].id_number), 'the number is not shown again');
    await look(browser, auditor, 'person-found', { still: true });
  });

  await t.test('a part of the log is taken away, with its progress', async () => {
    await go('/console/security/export');
    const [taken] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Take it' }).click(),
    ]);
    const lines = readFileSync(await taken.path(), 'utf8').trim().split('\n');
    for (const line of lines) JSON.parse(line);
    assert.ok(lines.length > 10, `${lines.length} lines`);
    await page.getByText('Done.').waitFor();
    assert.deepEqual(faults, []);
    await auditor.context.close();
  });

  await t.test('the security administrator stops a system, and it is refused from then on', async () => {
    const officer = await browser.as('audit.security');
    const example = browser.demo.about.examples.find(({ system, body, status }) => system === 'service.onestop' && body && status === 200);
    assert.equal((await browser.demo.ask(example)).status, 200);
    await officer.go('/console/security/stopped?system=service.onestop');
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
