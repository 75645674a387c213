// What the first visit of a page transfers, and how soon its answer begins.

// Bytes as they come over the wire, with everything that the page needs.
const MOST_BYTES = 100_000;
// Of the fastest of three: the build is not optimised, and the machine does other things.
const MOST_MS = 150;

const measured = [];

export async function weigh(browser, { context, page }, name) {
  const times = [];
  let bytes = 0;
  for (let round = 0; round < 3 && !(Math.min(...times) < MOST_MS); round += 1) {
    const first = await browser.visitor({ storageState: await context.storageState() });
    const cdp = await first.context.newCDPSession(first.page);
    await cdp.send('Network.enable');
    let sum = 0;
    cdp.on('Network.loadingFinished', ({ encodedDataLength }) => (sum += encodedDataLength));
    const answer = await first.page.goto(page.url(), { waitUntil: 'load' });
    const { requestStart, responseStart } = answer.request().timing();
    await cdp.send('Runtime.enable');
    times.push(responseStart - requestStart);
    bytes = sum;
    await first.context.close();
  }
  const ms = Math.min(...times);
  measured.push({ page: name, kB: Math.round(bytes / 100) / 10, ms: Math.round(ms) });
  const wrong = [];
  if (bytes >= MOST_BYTES) wrong.push(`${bytes} bytes at the first visit`);
  if (ms >= MOST_MS) wrong.push(`the answer began after ${times.map(Math.round)} ms`);
  return wrong;
}

// What was measured, as a table.
export function print() {
  console.table(measured);
}
