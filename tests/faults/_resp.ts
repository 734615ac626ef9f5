/**
 * As much of the protocol of Redis (RESP2) as it takes to see where one command, or one reply, ends.
 *
 * @module
 */

/** Bytes as they come in, cut into values. */
export class Values {
  #bytes = new Uint8Array();

  /** Takes more bytes, and gives the values that are complete by now. */
  take(bytes: Uint8Array): Uint8Array[] {
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    const values: Uint8Array[] = [];
    let from = 0;
    for (;;) {
      const to = endOf(all, from);
      if (to === undefined) break;
      values.push(all.subarray(from, to));
      from = to;
    }
    this.#bytes = all.slice(from);
    return values;
  }
}

/** The words of a command, in latin1. */
export function wordsOf(command: Uint8Array): string[] {
  const words: string[] = [];
  for (let at = endOfLine(command, 0)!; at < command.length;) {
    const from = endOfLine(command, at)!;
    at = endOf(command, at)!;
    words.push(new TextDecoder("latin1").decode(command.subarray(from, at - 2)));
  }
  return words;
}

const [ARRAY, BULK, CR] = [..."*$\r"].map((sign) => sign.charCodeAt(0));

/** Where the value that begins here ends; `undefined` when not all of it is there. */
function endOf(bytes: Uint8Array, from: number): number | undefined {
  let at = endOfLine(bytes, from);
  if (at === undefined) return undefined;
  const kind = bytes[from];
  if (kind !== ARRAY && kind !== BULK) return at;
  const count = Number(new TextDecoder().decode(bytes.subarray(from + 1, at - 2)));
  if (count < 0) return at; // null
  if (kind === BULK) return at + count + 2 <= bytes.length ? at + count + 2 : undefined;
  for (let n = 0; n < count && at !== undefined; n++) at = endOf(bytes, at);
  return at;
}

function endOfLine(bytes: Uint8Array, from: number): number | undefined {
  const end = bytes.indexOf(CR, from);
  return end < 0 || end + 2 > bytes.length ? undefined : end + 2;
}
