/**
 * Random identities of generations, claims and consumers.
 *
 * @module
 */

import { V7Generator } from "uuidv7";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CODES = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0));

/** How long every id is: 22 characters of 6 random bits. The storage scripts rely on it. */
export const ID_LENGTH = 22;

// Asking the system for random bytes one id at a time would cost more than the rest of an add.
const pool = new Uint8Array(ID_LENGTH * 512);
let used = pool.length;

const words = new Uint32Array(1_024);
let usedWords = words.length;

const uuids = new V7Generator({
  nextUint32() {
    if (usedWords === words.length) {
      crypto.getRandomValues(words);
      usedWords = 0;
    }
    return words[usedWords++];
  },
});

// Put together letter by letter, a string would be a tree of its parts, as dear to keep as to make.
const codes = Array.from({ length: ID_LENGTH }, () => 0);

/** A fresh identity of 132 random bits, in 22 URL-safe characters. */
export function randomId(): string {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  for (let i = 0; i < ID_LENGTH; i++) codes[i] = CODES[pool[used++] & 63];
  return String.fromCharCode(...codes);
}

// In the order of their codes, so that ids sort as the numbers do that they write.
const DIGITS = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0)).sort();
const ZERO = "0".charCodeAt(0);

/** Of each byte of a UUID of version 7, how many of its bits are not the same in all of them. */
const VARIABLE = [8, 8, 8, 8, 8, 8, 4, 8, 6, 8, 8, 8, 8, 8, 8, 8] as const;

/** 48 bits of time, 42 that count what is made within a millisecond from a random number on, 30 random ones. */
const digits = Array.from({ length: 20 }, () => ZERO);

/**
 * What tells a fresh UUID of version 7 from others, less its last two bits, in 20 URL-safe characters: those made later sort
 * behind. The first is a digit, so none is taken for an option on a command line.
 */
export function timeOrderedId(): string {
  const { bytes } = uuids.generate();
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < bytes.length; i++) {
    const width = VARIABLE[i];
    bits = bits << width | bytes[i] & (1 << width) - 1;
    held += width;
    while (held >= 6) {
      held -= 6;
      const digit = bits >>> held & 63;
      digits[at] = at === 0 ? ZERO + digit : DIGITS[digit]; // 0 until the year 2109, 9 until 3363
      at++;
    }
    bits &= 63;
  }
  return String.fromCharCode(...digits);
}
