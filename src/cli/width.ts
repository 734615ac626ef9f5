/**
 * How much room text takes on a terminal.
 *
 * @module
 */

const PLAIN = /^[\x20-\x7e]*$/;

const NONE = /^[\p{Mn}\p{Me}]$/u;

// What East Asian scripts write in two columns, and emoji.
const TWO =
  /^[\p{Emoji_Presentation}\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1aff0}-\u{1b2ff}\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

/**
 * How many columns a text takes that has no control characters. Never too few, which would break lines: terminals differ
 * about sequences of emoji, whose parts are counted here one by one.
 */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** At most so many columns of a text. */
export function cut(text: string, columns: number): string {
  if (text.length <= columns && PLAIN.test(text) || widthOf(text) <= columns) return text;
  let kept = "";
  let room = Math.max(0, columns - 1);
  for (const character of text) {
    room -= columnsOf(character);
    if (room < 0) break;
    kept += character;
  }
  return `${kept}…`;
}

/** The text, and blanks behind it until it takes so many columns. */
export function pad(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - widthOf(text)));
}

/** A variation selector makes an emoji of what is else a sign: it counts for the second column. */
function columnsOf(character: string): number {
  if (character === "\ufe0f") return 1;
  return TWO.test(character) ? 2 : NONE.test(character) ? 0 : 1;
}
