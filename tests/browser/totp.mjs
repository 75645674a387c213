// The code that a generator shows (RFC 6238: SHA-1, 30 seconds, six digits), written apart from the
// gateway's.

import { createHmac } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

// The bytes of a base32 text (RFC 4648).
export function base32(text) {
  const bits = [...text].map((char) => ALPHABET.indexOf(char).toString(2).padStart(5, '0')).join('');
  return Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
}

// `secret` in base32, `at` in milliseconds since 1970.
export function totp(secret, at = Date.now()) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const mac = createHmac('sha1', base32(secret)).update(counter).digest();
  const code = mac.readUInt32BE(mac.at(-1) & 15) & 0x7fff_ffff;
  return String(code % 1_000_000).padStart(6, '0');
}
