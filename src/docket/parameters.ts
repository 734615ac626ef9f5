/**
 * The names of a function's parameters, read from its source.
 *
 * @module
 */

import type { AnyFunction } from "./registry.ts";

/**
 * The names of a function's parameters, without the first `skip` of them: 1 for the handler of a task, whose first one
 * is the context, 0 for a plain function. Parameters that are taken apart, and the rest, are named by their position,
 * counted from 0 after those skipped.
 *
 * Never throws. What cannot be read for sure ends the list: arguments beyond it are called by position anyway. Functions
 * that are bound or native show no parameters.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { parameterNames } from "./parameters.ts";
 *
 * function greet(name: string, { loud }: { loud: boolean }, ...others: string[]): string {
 *   return [name, ...others].join() + (loud ? "!" : "");
 * }
 *
 * deepEqual(parameterNames(greet, 0), ["name", "1", "2"]);
 * ```
 */
export function parameterNames(source: AnyFunction, skip: number): readonly string[] {
  const names: (string | undefined)[] = [];
  try {
    readParameters(new Scanner(Function.prototype.toString.call(source)), names);
  } catch {
    // Code that this version does not know, or no function at all: what was read until there holds.
  }
  return names.slice(skip).map((name, position) => name ?? String(position));
}

/** Adds the name of each parameter, or `undefined` where it has none. */
function readParameters(scanner: Scanner, names: (string | undefined)[]): void {
  const bare = readHead(scanner);
  if (bare !== undefined) return void names.push(bare);
  while (scanner.peek() !== ")") {
    const start = scanner.peek();
    const name = scanner.word();
    const after = scanner.peek();
    // After any other sign the word was not the whole name; without a word it is `{ a }`, `[a]` or `...a`.
    const known = name === undefined ? isOneOf("{[.", start) : isOneOf("=,)", after);
    if (!known) throw unreadable();
    names.push(name);
    scanner.skipExpression(",)");
    if (scanner.peek() === ",") scanner.next();
  }
}

/** Goes to the first parameter. An arrow function without parentheses has only one, which is returned. */
function readHead(scanner: Scanner): string | undefined {
  let last: string | undefined;
  for (;;) {
    const sign = scanner.peek();
    const word = scanner.word();
    if (word !== undefined) {
      if (last === "class") throw unreadable(); // `class(` is a method, but `class Name` is a class
      last = word;
    } else if (sign === "(") {
      scanner.next();
      return undefined;
    } else if (sign === "=" && last !== undefined) {
      return last; // what stands before `=>`
    } else if (sign === "[") {
      scanner.next();
      scanner.skipExpression("]"); // the name of a method, computed
      scanner.next();
    } else if (sign === '"' || sign === "'") {
      scanner.skipString();
    } else if (/[*#\d]/.test(sign)) {
      scanner.next();
    } else {
      throw unreadable();
    }
  }
}

const WORD = /[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER = /\d[\w.]*/y;
const SPACE = /\s+/y;
const LINE = /[^\n\r\u2028\u2029]*/y;

/** After these comes an operand, so that a slash begins a regular expression. */
const BEFORE_OPERAND: ReadonlySet<string> = new Set(
  ["return", "typeof", "instanceof", "in", "new", "delete", "void", "throw", "case", "do", "else"],
);

/** These are keywords or names, as the case may be. */
const AMBIGUOUS: ReadonlySet<string> = new Set(["of", "yield", "await", "let"]);

/** A slash after their parentheses begins a regular expression. */
const BEFORE_STATEMENT: ReadonlySet<string> = new Set(["if", "while", "for", "with"]);

const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** Reads code sign by sign, in time that is linear in its length. */
class Scanner {
  readonly #code: string;
  #at = 0;
  /** Whether an operand was just read, so that a slash divides it; `undefined` when that cannot be told. */
  #operand: boolean | undefined = false;

  constructor(code: string) {
    this.#code = code;
  }

  /** The next sign after spaces and comments; `""` at the end. */
  peek(): string {
    for (;;) {
      if (this.#match(SPACE) !== undefined) continue;
      if (this.#comes("//")) this.#match(LINE);
      else if (this.#comes("/*")) this.#at = this.#indexOf("*/", 2) + 2;
      else return this.#code.charAt(this.#at);
    }
  }

  /** Passes over a sign. */
  next(count = 1): void {
    this.#at += count;
  }

  /** The next word, if one comes. */
  word(): string | undefined {
    this.peek();
    return this.#match(WORD);
  }

  /** Passes over everything up to one of the signs that is not inside of something else. */
  skipExpression(ends: string): void {
    const open: { readonly closing: string; readonly statement: boolean }[] = [];
    let last = "";
    this.#operand = false;
    for (;;) {
      const sign = this.peek();
      if (open.length === 0 && isOneOf(ends, sign)) return;
      const spread = this.#comes("...");
      const word = this.word();
      if (word !== undefined) {
        const property = isOneOf(".#", last); // of any name, also that of a keyword
        this.#operand = property || endsOperand(word);
        last = property ? "" : word;
        continue;
      }
      if (Object.hasOwn(CLOSING, sign)) {
        open.push({ closing: CLOSING[sign], statement: BEFORE_STATEMENT.has(last) });
        this.next();
        this.#operand = false;
      } else if (isOneOf(")]}", sign)) {
        const opened = open.pop();
        if (opened?.closing !== sign) throw unreadable();
        this.next();
        this.#operand = sign === "}" ? undefined : !opened.statement; // a block ends, or an object
      } else {
        this.#skipSign(sign);
      }
      last = spread ? "..." : sign;
    }
  }

  #skipSign(sign: string): void {
    if (sign === "") throw unreadable();
    if (this.#comes("<!--") || this.#comes("-->")) throw unreadable(); // comments, but not in modules
    if (this.#comes("++") || this.#comes("--")) return this.next(2); // before or after an operand
    if (this.#comes("...")) this.next(3);
    else if (sign === "/" && this.#operand === undefined) throw unreadable();
    else if (sign === "/" && !this.#operand) return this.#skipRegExp();
    else if (sign === "`") return this.#skipTemplate();
    else if (sign === '"' || sign === "'") return this.skipString();
    else if (this.#match(NUMBER) !== undefined) return void (this.#operand = true);
    else this.next();
    this.#operand = false;
  }

  /** Passes over a string, which ends with the quote that it begins with. */
  skipString(): void {
    const quote = this.peek();
    this.next();
    while (this.#inLine() !== quote) this.#skipCharacter();
    this.next();
    this.#operand = true;
  }

  #skipRegExp(): void {
    this.next();
    for (let inClass = false; inClass || this.#inLine() !== "/";) {
      const sign = this.#inLine();
      if (isOneOf("[]", sign)) inClass = sign === "[";
      this.#skipCharacter();
    }
    this.next(); // the flags are taken for a word, which is an operand, too
    this.#operand = true;
  }

  #skipTemplate(): void {
    this.next();
    while (this.#code.charAt(this.#at) !== "`") {
      if (this.#comes("${")) {
        this.next(2);
        this.skipExpression("}");
      }
      this.#skipCharacter();
    }
    this.next();
    this.#operand = true;
  }

  #comes(text: string): boolean {
    return this.#code.startsWith(text, this.#at);
  }

  #skipCharacter(): void {
    if (this.#at >= this.#code.length) throw unreadable();
    this.#at += this.#code.charAt(this.#at) === "\\" ? 2 : 1;
  }

  /** The present sign of something that does not go over several lines. */
  #inLine(): string {
    const sign = this.#code.charAt(this.#at);
    if (isOneOf("\n\r", sign)) throw unreadable();
    return sign;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#code)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #indexOf(text: string, offset: number): number {
    const index = this.#code.indexOf(text, this.#at + offset);
    if (index < 0) throw unreadable();
    return index;
  }
}

function endsOperand(word: string): boolean | undefined {
  if (AMBIGUOUS.has(word)) return undefined;
  return !BEFORE_OPERAND.has(word);
}

function isOneOf(signs: string, sign: string): boolean {
  return sign !== "" && signs.includes(sign);
}

function unreadable(): SyntaxError {
  return new SyntaxError("Cannot read the parameters of a function: its form is not known");
}
