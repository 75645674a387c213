// From the first field in the cart to a grant in force, in a browser that runs no script.

import assert from 'node:assert/strict';

import { open } from './approver.mjs';
import { write } from './requester.mjs';

export const title = 'without script an application is written, decided by four and accepted';

export async function run(t, browser) {
  const window = (name) => browser.as(name, { script: false });
  let place;

  await t.test('the applicant hands in', async () => {
    const { page, context, go } = await window('service.applicant');
    await go('/console/catalogue?q=income');
    await page.locator('a[href="/console/catalogue/civil.subsistence"]').click();
    await page.locator('input[value="monthly_allowance"]').check();
    await page.getByRole('button', { name: 'Add to what to apply for' }).click();
    await page.getByRole('link', { name: 'Write the application' }).click();
    await page.locator('input[name=purpose][value="livelihood.review"]').check();
    await page.getByRole('button', { name: 'Go on' }).click();
    await write(page, 'service.onestop');
    await page.getByRole('button', { name: 'Hand in' }).click();
    await said(page, 'Handed in');
    place = new URL(page.url()).pathname;
    await context.close();
  });

  const steps = [
    ['service.lead', 'consent', 'Consented'],
    ['civil.head', 'approve', 'Your approval is recorded.'],
    ['civil.leader', 'approve', 'Your approval is recorded.'],
    ['civil.lead', 'approve', 'Your approval is recorded.'],
    ['service.lead', 'accept', 'Accepted. The grant is in force.'],
  ];
  for (const [name, command, words] of steps) {
    await t.test(`${name}: ${command}`, async () => {
      const { page, context, go } = await window(name);
      await go(place);
      await open(page, command);
      await page.locator(`form[action$="/${command}"] button`).last().click();
      await said(page, words);
      await context.close();
    });
  }

  await t.test('the applicant finds the grant', async () => {
    const { page, context, go } = await window('service.applicant');
    await go('/console/grants');
    const grant = place.split('/').at(-1).replace('A-', 'G-');
    await page.getByRole('link', { name: grant }).click();
    assert.match(await page.locator('#curl').textContent(), /^curl --cacert/);
    await context.close();
  });
}

function said(page, words) {
  return page.getByRole('status').filter({ hasText: words }).waitFor();
}
