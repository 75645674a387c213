// The requester: finds, chooses, applies; with script, which checks while the form is written.

import assert from 'node:assert/strict';

import { look } from '../look.mjs';

export const title = 'a requester finds a dataset, chooses fields of it, applies, and learns why a query was refused';

export async function run(t, browser) {
  const window = await browser.as('housing.applicant');
  const { page, faults } = window;

  await t.test('searches the catalogue and chooses two fields', async () => {
    await window.go('/console/catalogue');
    await page.getByRole('searchbox').fill('income');
    await page.keyboard.press('Enter');
    await page.locator('a[href="/console/catalogue/civil.subsistence"]').click();
    await look(browser, window, 'dataset');
    for (const field of ['monthly_income', 'mobile']) await page.locator(`input[value="${field}"]`).check();
    await page.getByRole('button', { name: 'Add to what to apply for' }).click();
    await look(browser, window, 'cart-filled');
    await page.getByRole('link', { name: 'Write the application' }).click();
    await look(browser, window, 'apply-purpose');
  });

  await t.test('is told what is wrong while writing, and who decides by when', async () => {
    await page.locator('input[name=purpose][value="housing-aid.review"]').check();
    await page.getByRole('button', { name: 'Go on' }).click();
    const income = page.locator('.row:has(input[value="monthly_income"])');
    assert.ok(await income.locator('input[type=checkbox]').isChecked(), 'what is in the cart is chosen');
    await look(browser, window, 'apply');
    const scope = page.locator('[name="/terms/scope"]');
    const live = page.locator('[data-fault="/terms/scope"]');
    await scope.fill('科');
    await scope.fill('');
    await live.filter({ hasText: 'Please fill this in.' }).waitFor();
    await write(page);
    await live.waitFor({ state: 'hidden' });
    await page.locator('#foresight', { hasText: 'working days' }).waitFor();
    await look(browser, window, 'apply-written', { still: true });
  });

  await t.test('hands in, finds what is missing at its input, and loses nothing', async () => {
    await page.locator('[name="/terms/scope"]').fill('');
    await page.getByRole('button', { name: 'Hand in' }).click();
    await page.getByRole('alert').waitFor();
    assert.equal(await page.locator('[name="/terms/scope"]').getAttribute('aria-invalid'), 'true');
    assert.equal(await page.locator('[name="/terms/scenario"]').inputValue(), '公租房资格审核');
    await look(browser, window, 'apply-faulty', { still: true });
    await page.locator('[name="/terms/scope"]').fill('住房保障科经办人员');
    await page.getByRole('button', { name: 'Hand in' }).click();
    await page.getByRole('status').filter({ hasText: 'Handed in' }).waitFor();
    await look(browser, window, 'application-own');
  });

  await t.test('asks why a query was refused, by its request id', async () => {
    const refused = browser.demo.about.examples.find(({ system, body, status }) => system && body && status === 403);
    const answer = await browser.demo.ask({ ...refused, system: 'housing.aid' });
    await window.go('/console/why');
    await page.getByLabel('Request id').fill(answer.body.request_id);
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('main h2').waitFor();
    await look(browser, window, 'why-found');
  });

  await t.test('sees the grant in force, and copies how to ask', async () => {
    const grant = browser.demo.filed.active.replace('A-', 'G-');
    await window.go(`/console/grants/${grant}`);
    await look(browser, window, 'grant');
    await window.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.locator('[data-copy=curl]').click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^curl --cacert/);
  });

  assert.deepEqual(faults, []);
  await window.context.close();
}

// Fills in an application for what the cart holds.
export async function write(page, system = 'housing.aid') {
  const year = new Date(Date.now() + 300 * 86_400_000).toISOString().slice(0, 10);
  for (const reason of await page.locator('.row:has(input[type=checkbox]:checked) input[name$="/reason"]').all()) {
    await reason.fill('核对申请人是否符合条件');
  }
  await page.locator('[name="/terms/basis"]').fill('《公共租赁住房管理办法》第七条');
  await page.locator('[name="/terms/scenario"]').fill('公租房资格审核');
  await page.locator('[name="/terms/scope"]').fill('住房保障科经办人员');
  await page.locator(`[name^="/terms/systems/"][value="${system}"]`).check();
  await page.locator('[name="/terms/per_day"]').fill('200');
  await page.locator('[name="/terms/distinct_per_day"]').fill('100');
  await page.locator('[name="/terms/until"]').fill(year);
}
