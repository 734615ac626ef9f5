/**
 * Random identities of generations, claims and consumers.
 *
 * @module
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** How long every id is: 22 characters of 6 random bits. The storage scripts rely on it. */
export const ID_LENGTH = 22;

// Asking the system for random bytes one id at a time would cost more than the rest of an add.
const pool = new Uint8Array(ID_LENGTH * 512);
let used = pool.length;

/** A fresh identity of 132 random bits, in 22 URL-safe characters. */
export function randomId(): string {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  let id = "";
  for (const end = used + ID_LENGTH; used < end; used++) id += ALPHABET[pool[used] & 63];
  return id;
}
