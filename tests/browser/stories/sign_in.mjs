// Everybody: signing in and out, the language, the theme, sessions; and pages for visitors.

import assert from 'node:assert/strict';

import { look } from '../look.mjs';
import { pages } from './pages.mjs';

export const title = 'whoever signs in does so with password and code, and sees the pages of the role';

export async function run(t, browser) {
  await t.test('a visitor is shown the form, and told what is wrong', async () => {
    const visitor = await browser.visitor();
    await visitor.go('/console');
    assert.equal(new URL(visitor.page.url()).pathname, '/console/sign-in');
    await look(browser, visitor, 'sign-in');
    await visitor.page.getByLabel('Account').fill('housing.applicant');
    await visitor.page.getByLabel('Password').fill('not this one');
    await visitor.page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await visitor.page.getByRole('alert').waitFor();
    assert.equal(await visitor.page.getByLabel('Account').inputValue(), 'housing.applicant');
    await look(browser, visitor, 'sign-in-refused', { still: true });
    await visitor.context.close();
  });

  await t.test('the choice of language and theme holds on the next page', async () => {
    const { page, context, faults, go } = await browser.as('housing.lead');
    await page.getByRole('button', { name: 'Dark' }).click();
    await page.getByRole('button', { name: '中文' }).click();
    await go('/console/catalogue');
    assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
    assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('button', { name: 'Light' }).click();
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), ground);
    assert.deepEqual(faults, []);
    await context.close();
  });

  await t.test('what is not there, or for others, says so and what to do', async () => {
    const window = await browser.as('housing.lead');
    for (const [path, status, called] of [['/console/no-such-page', 404, 'lost'], ['/console/security', 403, 'not-for-me']]) {
      assert.equal((await window.go(path)).status(), status);
      await look(browser, window, called);
      await window.page.getByRole('link', { name: 'first page' }).waitFor();
    }
    await window.context.close();
  });

  await t.test('while an answer is awaited, the button that was pressed says so', async () => {
    const { page, context, go, faults } = await browser.as('housing.lead');
    await go('/console/catalogue');
    let goOn;
    const held = new Promise((done) => (goOn = done));
    await page.route(/catalogue\?q=/, async (route) => {
      await held;
      await route.continue();
    });
    await page.getByRole('searchbox').fill('pension');
    // Asked within the page, for what drives the browser waits with it.
    const said = page.evaluate(() => new Promise((done) => {
      addEventListener('submit', ({ submitter }) => setTimeout(() => done(submitter.getAttribute('aria-busy'))));
    }));
    const pressed = page.getByRole('button', { name: 'Search' }).click({ noWaitAfter: true });
    assert.equal(await said, 'true');
    goOn();
    await pressed;
    await page.waitForURL(/q=pension/);
    assert.equal(await page.locator('[aria-busy]').count(), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  await t.test('times are those of Shanghai, with UTC in the title', async () => {
    const { page, context } = await browser.as('housing.lead');
    await page.goto(new URL('/console/account', page.url()).href);
    const time = page.locator('main time').first();
    const at = new Date(await time.getAttribute('datetime'));
    const shown = new Date(at.getTime() + 8 * 3_600_000).toISOString().slice(11, 16);
    assert.ok((await time.textContent()).includes(shown), `${await time.textContent()} is not ${shown}`);
    assert.ok((await time.getAttribute('title')).includes(at.toISOString().slice(11, 16)));
    await context.close();
  });

  await t.test('every page of the navigation, as those who have it', () => pages(browser));

  await t.test('a code generator is set up by its picture, and whoever signs out is out', async () => {
    const window = await browser.as('hrss.lead');
    const { page } = window;
    await window.go('/console/account');
    const account = browser.demo.about.accounts.find((one) => one.name === 'hrss.lead');
    await page.locator('#code [name="/password"]').fill(account.password);
    await page.locator('#code button').click();
    await page.locator('svg.qr').waitFor();
    await look(browser, window, 'account-code', { still: true });
    await page.locator('details.menu summary').click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    await window.go('/console/account');
    assert.equal(new URL(page.url()).pathname, '/console/sign-in');
    assert.deepEqual(window.faults, []);
    await window.context.close();
  });
}
