/**
 * Whatever reads text that may be a stranger's takes time in proportion to it: what backtracks would take minutes, where a
 * slow machine takes a second.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { test } from "node:test";
import { defaultCodec } from "../../src/base/codec.ts";
import { toMillis } from "../../src/base/duration.ts";
import { decodeMessage } from "../../src/base/message.ts";
import { redactUrl } from "../../src/base/redact.ts";
import { escapeControls, hideCredentials } from "../../src/cli/render.ts";
import { duration, instant, typedValue } from "../../src/cli/values.ts";
import { cut, widthOf } from "../../src/cli/width.ts";
import { readInfo } from "../../src/storage/redis/info.ts";
import { Cron } from "../../mod.ts";

const LENGTH = 200_000;

/** In milliseconds. */
const PATIENCE = 10_000;

/** What has been the undoing of expressions: repetitions that could be divided in many ways, and no end that fits. */
const PIECES: readonly string[] = [
  "1",
  "1h",
  "1:",
  "1 ",
  "1,",
  "*/",
  "1-",
  "P1",
  "T",
  "a:",
  "a@",
  "x://",
  "x://a:",
  "?",
  "\x1b",
  "\u0301",
  "[",
  '{"a":',
  '"\\',
  "[[1],",
  "-",
  ".",
  "=",
  "\r\n",
];

const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  toMillis: (text) => toMillis("delay", text),
  Cron: (text) => new Cron(text),
  "docket --delay": (text) => duration().parse(text),
  "docket --when": (text) => instant().parse(text),
  "docket add": (text) => typedValue("ARG").parse(text),
  redactUrl,
  hideCredentials: (text) => hideCredentials(text.slice(0, 20_000)), // of a line of output
  escapeControls,
  widthOf,
  cut: (text) => cut(text, 80),
  decodeMessage,
  "Codec.decode": (text) => defaultCodec.decode(text),
  readInfo,
};

for (const [name, read] of Object.entries(READERS)) {
  test(`${name} reads long text in time, whatever is in it`, () => {
    for (const piece of PIECES) {
      for (const end of ["", "!", "\0"]) {
        const text = piece.repeat(LENGTH / piece.length) + end;
        const began = performance.now();
        try {
          read(text);
        } catch {
          // To refuse is an answer, too.
        }
        const took = performance.now() - began;
        ok(took < PATIENCE, `${JSON.stringify(piece)} took ${took} ms`);
      }
    }
  });
}
