// What people write may be long, run the other way, or be meant to harm: it is shown as text, in its
// place, and turns nothing around it. The fields identify somebody together, which is said as well.

import assert from 'node:assert/strict';

import { look } from '../look.mjs';
import { write } from './requester.mjs';

export const title = 'whatever is written into an application is text, stays in its place, and is decided about like any other';

const SCRIPT = '<script>alert(1)</script>"\'><img src=x onerror=alert(1)><style>*{display:none}</style>';
const TURNS = '\u202eلا يُسمح\u202c مرحبا بالعالم \u2066x\u2069 \u00ad\u061c';
const LONG = `${'行政许可与公共服务'.repeat(40)} ${'W'.repeat(400)}`;

export async function run(t, browser) {
  let place;

  await t.test('the applicant hands it in', async () => {
    const { page, context, faults, go } = await browser.as('housing.applicant');
    await go('/console/apply?dataset=hrss.pension&purpose=housing-aid.review');
    for (const [field, form] of [['id_number', 'mask'], ['birth_date', 'band']]) {
      const row = page.locator(`.row:has(input[value="${field}"])`);
      await row.locator('input[type=checkbox]').check();
      await row.locator('select').selectOption(form);
    }
    await write(page);
    await page.locator('.row:has(input[value="id_number"]) input[name$="/reason"]').fill(SCRIPT);
    await page.locator('.row:has(input[value="birth_date"]) input[name$="/reason"]').fill(LONG);
    await page.locator('[name="/terms/scenario"]').fill(TURNS + SCRIPT);
    await page.locator('[name="/terms/scope"]').fill(LONG);
    await page.locator('[name="/terms/toxic_reason"]').fill(TURNS);
    await page.getByRole('button', { name: 'Hand in' }).click();
    await page.getByRole('status').filter({ hasText: 'Handed in' }).waitFor();
    place = new URL(page.url()).pathname;
    assert.deepEqual(faults, []);
    await context.close();
  });

  await t.test('who has to consent reads it as text', async () => {
    const window = await browser.as('housing.lead');
    const { page, context } = window;
    await window.go(place);
    assert.ok((await page.locator('main').textContent()).includes(SCRIPT));
    const shown = await page.locator('main').textContent();
    assert.ok(shown.includes('⟨U+202E⟩لا يُسمح') && shown.includes('⟨U+00AD⟩⟨U+061C⟩'), 'what turns is shown by number');
    assert.ok(!/[\u202a-\u202e\u2066-\u2069\u061c\u00ad]/.test(shown), 'and turns nothing');
    assert.equal(await page.locator('main :is(script, img, style)').count(), 0);
    await page.locator('.note-warn', { hasText: 'A masked resident ID and the age' }).waitFor();
    await look(browser, window, 'application-hostile');
    await context.close();
  });
}
