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
const digits = Array.from({ length: ID_LENGTH }, () => ZERO);

/**
 * The number of a fresh UUID of version 7, in 22 URL-safe characters: those made later sort behind. The first is a digit,
 * so none is taken for an option on a command line.
 */
export function timeOrderedId(): string {
  const { bytes } = uuids.generate();
  let bits = 0;
  let held = 4; // 128 bits are two for the first character, and six for each of the others
  let at = 0;
  for (let i = 0; i < bytes.length; i++) {
    bits = bits << 8 | bytes[i];
    held += 8;
    while (held >= 6) {
      held -= 6;
      const digit = bits >>> held & 63;
      digits[at] = at === 0 ? ZERO + digit : DIGITS[digit];
      at++;
    }
    bits &= 63;
  }
  return String.fromCharCode(...digits);
}
