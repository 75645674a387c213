// The pages that the navigation offers, each looked over once: by the first official who has it.

import { look } from '../look.mjs';

// Those that are led to from them by what they list.
const FURTHER = {
  'audit.system': ['/console/admin/versions/1'],
  'housing.applicant': ['/console/integrator/operations/post-v1-datasets-dataset-query'],
};

const WHO = [
  'housing.applicant', 'civil.head', 'audit.auditor', 'audit.security', 'audit.coordinator', 'audit.system',
];

export async function pages(browser) {
  const seen = new Set();
  const wrong = [];
  for (const name of WHO) {
    const window = await browser.as(name);
    const { page, context } = window;
    const found = await page.locator('.nav a').evaluateAll((links) => links.map((a) => a.pathname));
    found.push(...FURTHER[name] ?? []);
    // What the pages of the navigation divide into, too.
    for (const path of found) {
      if (seen.has(path)) continue;
      seen.add(path);
      await window.go(path);
      const parts = await page.locator('main .tabs a').evaluateAll((a) => a.map((one) => one.pathname));
      found.push(...parts.filter((part) => !found.includes(part)));
      const called = path === '/console' ? `home-${name}` : path.replace('/console/', '').replaceAll('/', '-');
      await look(browser, window, called).catch((error) => wrong.push(error.message));
    }
    await context.close();
  }
  if (wrong.length > 0) throw new Error(wrong.join('\n\n'));
}
