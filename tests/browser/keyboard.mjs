// The way through a page by Tab alone: everything that can be used is reached, and seen to be.

// More stops than any page has.
const MOST = 600;

export async function keyboard(page) {
  const wrong = [];
  for (let stop = 0; stop < MOST; stop += 1) {
    await page.keyboard.press('Tab');
    const found = await page.evaluate(inPage);
    if (found === 'round') break;
    if (found) wrong.push(found);
  }
  const missed = await page.evaluate(() => {
    // Of radio buttons in a group one takes the focus, and arrows do the rest.
    const usable = 'a[href], button, summary, select, textarea, input:not([type=hidden], [type=radio]), [tabindex="0"]';
    const all = [...document.querySelectorAll(usable)];
    const open = all.filter((e) => e.checkVisibility({ checkVisibilityCSS: true }) && !e.disabled);
    const missed = open.filter((e) => !globalThis.reached.has(e)).map((e) => e.outerHTML.slice(0, 120));
    delete globalThis.reached;
    return missed;
  });
  return [...wrong, ...missed.map((what) => `no Tab comes to ${what}`)];
}

// Runs in the page, once Tab came to something. It says `round` at what was reached before: not where
// it is still, for a date has parts of its own, and not on the way past the end to the beginning.
function inPage() {
  const at = document.activeElement;
  const reached = (globalThis.reached ??= new Set());
  if (at === document.body || at === null || at === [...reached].at(-1)) return '';
  if (reached.has(at)) return 'round';
  reached.add(at);
  const style = getComputedStyle(at);
  const ring = style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2;
  if (!ring && style.boxShadow === 'none') return `focus is not to be seen on ${at.outerHTML.slice(0, 120)}`;
  const { top, bottom } = at.getBoundingClientRect();
  return bottom <= 0 || top >= innerHeight ? `focus is out of sight on ${at.outerHTML.slice(0, 120)}` : '';
}
