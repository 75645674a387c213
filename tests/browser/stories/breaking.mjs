// What must be stopped is stopped and reported; and what looks pages over finds what is wrong with one:
// each check is shown to fail.

import assert from 'node:assert/strict';

import { keyboard } from '../keyboard.mjs';
import { wrongIn } from '../look.mjs';
import { axe } from '../settings.mjs';

export const title = 'script and style that are not our own are stopped, and each check of a page can fail';

const PATH = '/console/catalogue';

export async function run(t, browser) {
  const broken = async (change) => {
    const window = await browser.as('housing.applicant', { provokes: true });
    await window.go(PATH);
    const said = await window.page.evaluate(change);
    return { ...window, said };
  };

  for (const [what, change, policy] of [
    ['HTML written by a script', () => { document.querySelector('main').innerHTML = '<b>x</b>'; }, 'require-trusted-types-for'],
    ['HTML put beside by a script', () => { document.querySelector('main').insertAdjacentHTML('beforeend', '<b>x</b>'); }, 'require-trusted-types-for'],
    ['a policy that would permit it', () => { globalThis.trustedTypes.createPolicy('any', { createHTML: (text) => text }); }, 'trusted-types'],
    // Later, for what drives the browser may do more than a page.
    ['a text run as a program', () => new Promise((done, failed) => {
      setTimeout(() => {
        try {
          done(globalThis.eval('globalThis.hit = true'));
        } catch (error) {
          failed(error);
        }
      });
    }), 'require-trusted-types-for'],
    ['the text of a script', () => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.hit = true';
      document.head.append(script);
    }, 'require-trusted-types-for'],
    ['what is sent elsewhere', () => fetch('https://elsewhere.invalid/').then(() => {}), 'connect-src'],
  ]) {
    await t.test(`${what} is stopped`, async () => {
      const { said, faults, page, context } = await broken(wrap(change));
      assert.notEqual(said, 'done', what);
      await until(() => faults.some((fault) => fault.startsWith(`policy: ${policy}`)), () => `${what}: ${faults}`);
      assert.equal(await page.evaluate(() => globalThis.hit), undefined);
      assert.equal(await page.locator('main > b').count(), 0);
      await context.close();
    });
  }

  await t.test('script and style that came into a page are not run', async () => {
    const { page, context, go, faults } = await browser.as('housing.applicant', { provokes: true });
    await page.route(`**${PATH}`, async (route) => {
      const answer = await route.fetch();
      const planted = '<script>globalThis.hit = 1</script><img src="x:" onerror="globalThis.hit = 2">'
        + '<p id="planted" style="position: fixed">x</p><style>main { display: none }</style>'
        + '<script src="https://elsewhere.invalid/x.js"></script><base href="https://elsewhere.invalid/">';
      await route.fulfill({ response: answer, body: (await answer.text()).replace('</main>', `${planted}</main>`) });
    });
    await go(PATH);
    assert.equal(await page.evaluate(() => globalThis.hit), undefined);
    assert.ok(await page.locator('main').isVisible());
    assert.equal(await page.locator('#planted').evaluate((e) => getComputedStyle(e).position), 'static');
    for (const directive of ['script-src-elem inline', 'script-src-attr inline', 'style-src-attr inline', 'style-src-elem inline', 'base-uri']) {
      await until(() => faults.some((fault) => fault.startsWith(`policy: ${directive}`)), () => `${directive}: ${faults}`);
    }
    await context.close();
  });

  for (const [what, change, expected] of [
    ['an input without a name', () => { document.querySelector('main label').remove(); document.querySelector('#q').removeAttribute('placeholder'); }, /axe label/],
    ['words that are hardly seen', () => { document.querySelector('h1').style.color = '#ddd'; }, /axe color-contrast/],
    ['a page in no language', () => { document.documentElement.removeAttribute('lang'); }, /axe html-has-lang/],
    ['a button of ten pixels', () => { Object.assign(document.querySelector('main button').style, { minHeight: 0, height: '10px', padding: 0, lineHeight: 1 }); }, /^target of/],
    ['a line that does not fit', () => { document.querySelector('h1').style.width = '3000px'; }, /px wide/],
  ]) {
    await t.test(`${what} is found`, async () => {
      const { page, context } = await broken(change);
      await page.evaluate(axe);
      const wrong = await wrongIn(page);
      assert.ok(wrong.some((line) => expected.test(line)), `${what}: ${wrong}`);
      await context.close();
    });
  }

  for (const [what, change, expected] of [
    ['a button that Tab does not come to', () => { document.querySelector('main button').tabIndex = -1; }, /no Tab comes to <button/],
    ['a focus that is not seen', () => { document.querySelector('main button').style.outline = 'none'; }, /focus is not to be seen/],
    ['a trap', () => { const q = document.querySelector('#q'); q.addEventListener('keydown', (event) => event.preventDefault()); }, /no Tab comes to/],
  ]) {
    await t.test(`${what} is found`, async () => {
      const { page, context } = await broken(change);
      const wrong = await keyboard(page);
      assert.ok(wrong.some((line) => expected.test(line)), `${what}: ${wrong}`);
      await context.close();
    });
  }

  await t.test('and a page as it is passes', async () => {
    const { page, context, faults } = await broken(() => {});
    await page.evaluate(axe);
    assert.deepEqual([...await wrongIn(page), ...await keyboard(page), ...faults], []);
    await context.close();
  });
}

// What was tried, as a text: `done` when nothing stopped it.
function wrap(change) {
  return `(async () => { try { await (${change})(); return 'done'; } catch (error) { return error.name; } })()`;
}

// Waits for what comes by itself: a report is sent behind what it is about.
async function until(holds, said) {
  for (let round = 0; round < 100 && !holds(); round += 1) await new Promise((done) => setTimeout(done, 20));
  assert.ok(holds(), said());
}
