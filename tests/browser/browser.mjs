// The browser, and what it may never report while a page of the console is shown.

import { join } from 'node:path';

import { chromium } from './settings.mjs';
import { totp } from './totp.mjs';

// Refusals that a story provokes: the browser reports the status of a page as an error of its own.
const STATUS = /^Failed to load resource: the server responded with a status of 4\d\d/;

export class Browser {
  // Of contexts: whoever signs in does so once, for a code is good for one time.
  #kept = new Map();
  // All that any window reported, but what was provoked.
  reported = [];

  static async open(demo) {
    // The sandbox needs rights that a container's root does not have; the pages are our own.
    const args = process.getuid() === 0 ? ['--no-sandbox'] : [];
    const path = process.env.CHROMIUM ?? '/usr/bin/chromium';
    return new Browser(demo, await chromium.launch({ executablePath: path, args }));
  }

  constructor(demo, process) {
    this.demo = demo;
    this.process = process;
  }

  close() {
    return this.process.close();
  }

  // A window of its own, with nobody signed in. `faults` is what it must not report; a window that
  // `provokes` is asked for them.
  async visitor({ lang = 'en', width = 1280, script = true, provokes = false, storageState } = {}) {
    const context = await this.process.newContext({
      // The demo's authority is its own. Its certificates are looked at by tests/it.
      ignoreHTTPSErrors: true,
      javaScriptEnabled: script,
      locale: lang,
      viewport: { width, height: 900 },
      reducedMotion: 'reduce',
      storageState,
    });
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    const faults = [];
    const report = (what) => {
      faults.push(what);
      if (!provokes) this.reported.push(`${page.url()}: ${what}`);
    };
    page.on('pageerror', (error) => report(`error: ${error.message}`));
    // A script of somebody's would ask something.
    page.on('dialog', (dialog) => {
      report(`dialog: ${dialog.message()}`);
      return dialog.dismiss();
    });
    page.on('console', (said) => {
      if (['error', 'warning'].includes(said.type()) && !STATUS.test(said.text())) report(said.text());
    });
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.origin !== this.demo.base && !['data:', 'blob:'].includes(url.protocol)) report(`asked ${url}`);
    });
    // What breaks the policy is told here and not only in the console: `report` says it for sure.
    await context.exposeFunction('reportViolation', (what) => report(`policy: ${what}`));
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        globalThis.reportViolation(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
      });
    });
    const go = (path) => page.goto(new URL(path, this.demo.base).href);
    return { context, page, faults, go };
  }

  // A window in which an official of the demo is signed in.
  async as(name, options = {}) {
    if (!this.#kept.has(name)) {
      const first = await this.visitor(options);
      await this.signIn(first, name);
      this.#kept.set(name, await first.context.storageState());
      await first.context.close();
    }
    const window = await this.visitor({ ...options, storageState: this.#kept.get(name) });
    await window.go('/console');
    return window;
  }

  // Fills in the form of the sign-in page, as a person with a code generator does.
  async signIn({ page, go }, name) {
    const account = this.demo.about.accounts.find((one) => one.name === name);
    await go('/console/sign-in');
    await page.locator('[name="/account"]').fill(name);
    await page.locator('[name="/password"]').fill(account.password);
    await page.locator('[name="/totp"]').fill(totp(account.code_secret));
    await page.locator('form:has([name="/totp"]) button').click();
    await page.waitForURL((url) => !url.pathname.endsWith('/sign-in'));
  }
}

// A picture of the whole page.
export function picture(page, folder, name) {
  return page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
