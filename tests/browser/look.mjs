// Looks a page over: in both languages, in both themes, on a phone and on a large screen, so that each
// is seen with each of the others.

import assert from 'node:assert/strict';

import { picture } from './browser.mjs';
import { keyboard } from './keyboard.mjs';
import { axe, pictures } from './settings.mjs';
import { weigh } from './weight.mjs';

const LANG = '__Host-sluice-lang';
const LOOKS = {
  'zh-CN': [['light', 1920], ['dark', 360]],
  en: [['light', 360], ['dark', 1920]],
};

// Looked at for what does not fit: the narrowest of WCAG 2.2 (1.4.10), a tablet, a small screen.
const BETWEEN = [320, 768, 1280];

// Looks over the page that a window shows, by going there again. `name` is what its pictures are
// called. With `still`, what is shown is the answer to a form, and stays in its language.
export async function look(browser, window, name, { still = false } = {}) {
  const { page, context, faults } = window;
  // Without its fragment: to that alone the browser would only scroll.
  const here = page.url().replace(/#.*/, '');
  const wrong = [];
  for (const lang of still ? ['en'] : Object.keys(LOOKS)) {
    if (!still) {
      await context.addCookies([{ name: LANG, value: lang, url: browser.demo.base }]);
      await page.goto(here);
      assert.equal(await page.locator('html').getAttribute('lang'), lang, `${name} in ${lang}`);
    }
    await page.evaluate(axe);
    for (const [theme, width] of LOOKS[lang]) {
      await page.emulateMedia({ colorScheme: theme });
      await page.setViewportSize({ width, height: 900 });
      const called = `${name}-${lang}-${theme}-${width}`;
      await picture(page, pictures, called);
      const found = await wrongIn(page);
      wrong.push(...found.map((what) => `${called}: ${what}`));
    }
    for (const width of BETWEEN) {
      await page.setViewportSize({ width, height: 900 });
      const found = await page.evaluate(wide);
      wrong.push(...found.map((what) => `${name}-${lang}-${width}: ${what}`));
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 900 });
  wrong.push(...await keyboard(page));
  if (!still) wrong.push(...await weigh(browser, window, name));
  wrong.push(...faults.splice(0));
  assert.deepEqual([...new Set(wrong)], [], `${name}: ${here}`);
}

// What a person who looks or listens could not use. axe is in the page.
export async function wrongIn(page) {
  return [...await page.evaluate(wide), ...await page.evaluate(inPage)];
}

// Runs in the page: what does not fit into it.
function wide() {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  const last = [...document.querySelectorAll('body *')]
    .filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1 && !e.closest('.scroll, pre, .unseen'))
    .at(-1);
  return [`${root.scrollWidth} px wide: ${last?.outerHTML.slice(0, 120)}`];
}

// Runs in the page.
async function inPage() {
  const wrong = [];
  const told = (element) => element.outerHTML.slice(0, 120);
  // WCAG 2.2, 2.5.8. Links within a sentence are excepted, and axe minds the others.
  for (const target of document.querySelectorAll('button, summary, select, textarea, input:not([type=hidden])')) {
    const { width: across, height } = (target.closest('label') ?? target).getBoundingClientRect();
    const seen = target.checkVisibility({ checkVisibilityCSS: true }) && !target.closest('.unseen');
    if (seen && Math.min(across, height) < 24) wrong.push(`target of ${across} x ${height}: ${told(target)}`);
  }
  const result = await globalThis.axe.run(document, {
    resultTypes: ['violations'],
    rules: { 'target-size': { enabled: true } },
  });
  for (const { id, impact, nodes } of result.violations) {
    if (!['serious', 'critical'].includes(impact)) continue;
    wrong.push(`axe ${id} (${nodes.length}): ${nodes[0].html.slice(0, 160)} ${nodes[0].any[0]?.message ?? ''}`);
  }
  return wrong;
}
