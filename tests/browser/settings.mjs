// What the command line says, and the two packages that are not node's own.
//
// node FILE.mjs TOOLS PROGRAM PICTURES: the folder that holds node_modules, the built `sluice`, and
// where screenshots go.

import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [tools, built, shots] = process.argv.slice(2).map((path) => resolve(path));
const require = createRequire(`${tools}/`);

export const program = built;
export const pictures = shots;
export const { chromium } = require('playwright-core');
export const axe = require('axe-core').source;

mkdirSync(pictures, { recursive: true });
