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

const HEX = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
const HYPHEN = "-".charCodeAt(0);
const uuid = Array.from({ length: 36 }, () => HYPHEN);

/** A fresh UUID of version 7: those made later sort behind. */
export function timeOrderedId(): string {
  const { bytes } = uuids.generate();
  let at = 0;
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) at++; // the hyphen stands there already
    uuid[at++] = HEX[bytes[i] >>> 4];
    uuid[at++] = HEX[bytes[i] & 15];
  }
  return String.fromCharCode(...uuid);
}
