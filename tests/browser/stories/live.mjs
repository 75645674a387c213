// Two people at one time, and a session that ends while somebody writes.

import assert from 'node:assert/strict';

import { look } from '../look.mjs';
import { totp } from '../totp.mjs';
import { open } from './approver.mjs';
import { write } from './requester.mjs';

export const title = 'a page says what another has changed, and what was typed outlives the session';

// A page asks no more often than this.
const EVERY = 20_000;

export async function run(t, browser) {
  await t.test('one decides, and the other is told, with what was typed left alone', async () => {
    const [lead, applicant] = [await browser.as('housing.lead'), await browser.as('housing.applicant')];
    await applicant.go('/console/apply?dataset=civil.subsistence&purpose=housing-aid.review');
    await applicant.page.locator('input[value="monthly_allowance"]').check();
    await write(applicant.page);
    await applicant.page.locator('button[value=submit]').click();
    await applicant.page.getByRole('status').filter({ hasText: 'Handed in' }).waitFor();
    const path = new URL(applicant.page.url()).pathname;
    await lead.page.clock.install();
    await lead.go('/console/inbox');
    const waiting = lead.page.locator('.nav [data-waiting]');
    await waiting.waitFor();
    const number = Number(await waiting.textContent());
    const rows = await lead.page.locator('tbody tr').count();
    assert.equal(number, rows, 'the number in the navigation is that of the list');
    await lead.page.locator(`tbody a[href="${path}"]`).click();
    await open(lead.page, 'decline');
    const note = lead.page.locator('form[action$="/decline"] textarea');
    await note.fill('尚未写完');
    await applicant.page.locator('form[action$="/withdraw"] button').last().evaluate((button) => button.click());
    await applicant.page.getByRole('status').filter({ hasText: 'is withdrawn' }).waitFor();
    await lead.page.clock.fastForward(EVERY);
    const told = lead.page.getByRole('status').filter({ hasText: 'Somebody has changed this application' });
    await told.waitFor();
    assert.equal(await note.inputValue(), '尚未写完', 'nothing that is typed is replaced');
    if (number === 1) await waiting.waitFor({ state: 'hidden' });
    else await waiting.filter({ hasText: `${number - 1}` }).waitFor();
    await told.getByRole('link', { name: 'Show it anew' }).click();
    await lead.page.locator('.state', { hasText: 'Withdrawn' }).first().waitFor();
    for (const { faults, context } of [lead, applicant]) {
      assert.deepEqual(faults, []);
      await context.close();
    }
  });

  await t.test('the numbers of the overview go on while it is open', async () => {
    const { page, go, faults, context } = await browser.as('audit.auditor');
    await page.clock.install();
    await go('/console/security');
    const queries = page.locator('[data-figure=queries]');
    const before = Number((await queries.textContent()).replaceAll(',', ''));
    await browser.demo.ask(browser.demo.about.examples.find(({ system, body }) => system && body));
    await page.waitForFunction(async (before) => {
      const { figures } = await (await fetch('/console/live?figures=true')).json();
      return Number(figures.queries.replaceAll(',', '')) > before;
    }, before);
    await page.clock.fastForward(EVERY);
    await page.waitForFunction(
      ([before]) => Number(document.querySelector('[data-figure=queries]').textContent.replaceAll(',', '')) > before,
      [before],
    );
    await page.locator('[data-figures-at]', { hasText: 'Numbers as of' }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  await t.test('what was typed while the session ended is looked through, and then sent', async () => {
    const window = await browser.visitor();
    const { page, go, faults, context } = window;
    await browser.signIn(window, 'hrss.applicant');
    await page.clock.install();
    await go('/console/apply?dataset=civil.subsistence&purpose=employment-aid.review');
    await page.locator('[name="/terms/scenario"]').fill('就业困难人员认定 <b>');
    const elsewhere = await context.newPage();
    await elsewhere.goto(new URL('/console', page.url()).href);
    await elsewhere.locator('details.menu summary').click();
    await elsewhere.getByRole('button', { name: 'Sign out' }).click();
    await elsewhere.getByText('You are signed out.').waitFor();
    await page.clock.fastForward(EVERY);
    await page.getByRole('status').filter({ hasText: 'Your session has ended.' }).waitFor();
    await page.getByRole('button', { name: 'Hand in' }).click();
    await page.getByRole('status').filter({ hasText: 'What you typed is kept on this page' }).waitFor();
    await look(browser, window, 'sign-in-kept', { still: true });
    await page.locator('[name="/password"]').fill(official(browser).password);
    await page.locator('[name="/totp"]').fill(totp(official(browser).code_secret, Date.now() + 30_000));
    await page.locator('form:has([name="/totp"]) button').click();
    await page.getByRole('heading', { name: 'What you typed is kept' }).waitFor();
    await look(browser, window, 'kept', { still: true });
    await page.getByRole('button', { name: 'Show what I typed' }).click();
    await page.getByRole('alert').filter({ hasText: 'Nothing has been sent yet' }).waitFor();
    assert.equal(await page.locator('[name="/terms/scenario"]').inputValue(), '就业困难人员认定 <b>');
    await look(browser, window, 'apply-kept', { still: true });
    await page.locator('[name="/terms/scope"]').fill('就业援助经办人员');
    await page.locator('button[value=submit]').click();
    await page.getByRole('alert').waitFor();
    assert.equal(await page.locator('[name="/terms/scope"]').inputValue(), '就业援助经办人员', 'sent, and checked');
    assert.deepEqual(faults, []);
    await context.close();
  });
}

function official(browser) {
  return browser.demo.about.accounts.find((one) => one.name === 'hrss.applicant');
}
