// The coordinator, the administrators, the integrator.

import assert from 'node:assert/strict';

import { look } from '../look.mjs';

export const title = 'a coordinator sees what waits, an administrator what a rule would change, an integrator gets an answer';

export async function run(t, browser) {
  await t.test('the coordinator goes from a department to what waits there', async () => {
    const window = await browser.as('audit.coordinator');
    const { page, faults, context } = window;
    await window.go('/console/coordinator');
    await page.getByRole('region', { name: 'By department' }).getByRole('link').first().click();
    await look(browser, window, 'coordinator-department');
    await page.locator('#open a[href*="/applications/"]').first().click();
    await page.locator('main h1').waitFor();
    assert.match(page.url(), /applications\/A-/);
    assert.deepEqual(faults, []);
    await context.close();
  });

  await t.test('the administrator tries a wording, and reads who would lose what', async () => {
    const window = await browser.as('audit.system');
    const { page, faults, context } = window;
    await window.go('/console/admin/rules');
    await page.locator('td.end a[href$="civil.subsistence.csv"]').click();
    await look(browser, window, 'rules-try');
    const text = page.locator('#text');
    // Without its rules for plain values, somebody goes without.
    const without = (await text.inputValue()).split('\n').filter((line) => !line.includes('plain'));
    await text.fill(without.join('\n'));
    await page.getByRole('button', { name: 'See what would change' }).click();
    await page.locator('#result').waitFor();
    await look(browser, window, 'rules-tried', { still: true });
    assert.ok(await page.locator('#result .loss').count() > 0, 'somebody loses something');
    assert.deepEqual(faults, []);
    await context.close();
  });

  await t.test('duties are separated: one makes an account, another gives it a role', async () => {
    const window = await browser.as('audit.system');
    const { page, faults, context } = window;
    await window.go('/console/admin/people');
    for (const [name, value] of [['/account', 'civil.new'], ['/person', 'P-2001'], ['/name', '<b>魏</b>\'" مرحبا']]) {
      await page.locator(`[name="${name}"]`).fill(value);
    }
    await page.locator('[name="/department"]').selectOption('civil');
    await page.getByRole('button', { name: 'Make an account' }).click();
    await page.locator('#one-time').waitFor();
    await look(browser, window, 'person-made', { still: true });
    assert.equal(await page.locator('form[action$="/give-role"]').count(), 0, 'who makes an account gives no role');
    assert.deepEqual(faults, []);
    await context.close();

    const other = await browser.as('audit.security');
    await other.go('/console/admin/people/civil.new');
    assert.equal(await other.page.locator('main h1').textContent(), '<b>魏</b>\'" مرحبا', 'what was typed is text');
    const give = async () => {
      await other.page.locator('#role').selectOption({ label: 'Applicant' });
      await other.page.getByRole('button', { name: 'Give a role' }).click();
    };
    // Whoever made the account could still be the one who uses it: no role before a person has taken it up.
    await give();
    await other.page.getByRole('alert').first().waitFor();
    assert.equal(await other.page.getByRole('cell', { name: 'Applicant', exact: true }).count(), 0);
    await other.go('/console/admin/people/civil.head');
    await give();
    await other.page.getByRole('cell', { name: 'Applicant', exact: true }).waitFor();
    await look(browser, other, 'person-of');
    assert.deepEqual(other.faults, []);
    await other.context.close();
  });

  await t.test('the integrator tries a query on made-up data, and finds what a problem means', async () => {
    const window = await browser.as('housing.applicant');
    const { page, faults, context } = window;
    await window.go('/console/integrator/try?dataset=civil.subsistence');
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.locator('#answer pre, #answer table').first().waitFor();
    await look(browser, window, 'try-answered', { still: true });
    await page.locator('#body').fill('{"purpose": 1}');
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.locator('#answer [role=alert] code').first().waitFor();
    await look(browser, window, 'try-wrong', { still: true });
    await window.go('/console/integrator/codes');
    await page.getByRole('searchbox').fill('quota');
    await page.keyboard.press('Enter');
    await page.getByRole('cell', { name: 'quota' }).first().waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });
}
