// The approver: from the inbox to a decision without leaving the application's page.

import assert from 'node:assert/strict';

import { look } from '../look.mjs';

export const title = 'an approver opens what waits and decides it, field by field';

export async function run(t, browser) {
  const waiting = browser.demo.filed.in_review;

  await t.test('the leader leaves one thing to say, then approves', async () => {
    const window = await browser.as('civil.leader');
    const { page, faults } = window;
    await page.getByRole('link', { name: waiting }).or(page.locator(`a[href$="${waiting}"]`)).first().click();
    await look(browser, window, 'application');
    await page.locator('form[action$="/comment"] textarea').fill('请说明为何需要证件号码。');
    await page.getByRole('button', { name: 'Say' }).click();
    await page.getByRole('status').filter({ hasText: 'Your comment is recorded.' }).waitFor();
    await open(page, 'approve');
    await look(browser, window, 'application-approve', { still: true });
    await page.locator('form[action$="/approve"] button').last().click();
    await page.getByRole('status').filter({ hasText: 'Your approval is recorded.' }).waitFor();
    assert.deepEqual(faults, []);
    await window.context.close();
  });

  await t.test('what changed meanwhile is not decided over, and nothing typed is lost', async () => {
    const [one, other] = [await browser.as('civil.lead'), await browser.as('civil.lead')];
    for (const { go } of [one, other]) await go(`/console/applications/${waiting}`);
    await other.page.locator('form[action$="/comment"] textarea').fill('稍后答复。');
    await other.page.getByRole('button', { name: 'Say' }).click();
    await other.page.getByRole('status').filter({ hasText: 'Your comment is recorded.' }).waitFor();
    await open(one.page, 'refuse');
    const refuse = one.page.locator('form[action$="/refuse"]');
    await refuse.locator('[name="/basis"]').fill('《政务数据共享条例》第二十一条');
    await refuse.locator('[name="/note"]').fill('超出所需范围');
    await refuse.locator('button').last().click();
    await one.page.getByRole('alert').waitFor();
    assert.equal(await refuse.locator('[name="/note"]').inputValue(), '超出所需范围');
    await look(browser, one, 'application-changed', { still: true });
    await refuse.locator('button').last().click();
    await one.page.getByRole('status').filter({ hasText: 'Refused.' }).waitFor();
    await look(browser, one, 'application-refused');
    for (const { faults, context } of [one, other]) {
      assert.deepEqual(faults, []);
      await context.close();
    }
  });
}

// Opens the form of a command, unless it is open.
export async function open(page, command) {
  const form = page.locator(`form[action$="/${command}"]`).first();
  if (!await form.isVisible()) await page.locator('details.decision', { has: form }).locator('summary').click();
  await form.waitFor({ state: 'visible' });
}
