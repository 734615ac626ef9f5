/**
 * What users write is read, or refused with the error that is promised: spans, instants, schedules, URLs, options, values.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../src/base/clock.ts";
import { defaultCodec } from "../../src/base/codec.ts";
import { toInstant, toMillis } from "../../src/base/duration.ts";
import { redactUrl } from "../../src/base/redact.ts";
import { fromRule } from "../../src/base/strikes.ts";
import { openStorage } from "../../src/storage/open.ts";
import { Cron, Docket, DocketError, Worker } from "../../mod.ts";
import { anyText, fuzz } from "./_fuzz.ts";

/** Nothing that is read takes longer, also on a busy machine: what does hangs. */
const PATIENCE = 5_000;

const CANARY = "c4n4ry-s3cr3t";

test("F32 a span or an instant is read, or refused as promised", async () => {
  const unit = fc.constantFrom("", "ms", "s", "m", "h", "d", "PT", "P1D", " ", "1e", ".", "-");
  const span = fc.array(fc.oneof(fc.nat().map(String), unit, anyText(3)), { maxLength: 8 });
  const value = fc.oneof(
    span.map((parts) => parts.join("")),
    fc.anything(),
    fc.double(),
    fc.date(),
  );

  await fuzz(300, value, (value) => {
    for (const read of [toMillis, toInstant]) {
      const millis = orRefused(() => read("delay", value as never));
      if (millis !== undefined) ok(Number.isFinite(millis), String(millis));
    }
  });
});

test("F32 a schedule is read, or refused as promised, and soon", async () => {
  const field = fc.oneof(
    fc.constantFrom(
      "*",
      "?",
      "L",
      "W",
      "#",
      "MON",
      "*/0",
      "*/5",
      "1-5",
      "5-1",
      "60",
      "31",
      "L-3",
      "@daily",
    ),
    fc.nat(70).map(String),
    anyText(3),
  );
  const expression = fc.array(field, { maxLength: 8 }).map((fields) => fields.join(" "));

  await fuzz(300, fc.tuple(expression, fc.option(anyText(10))), ([expression, zone]) => {
    const began = performance.now();
    const cron = orRefused(() => new Cron(expression, zone === null ? {} : { timeZone: zone }));
    if (cron) {
      const next = orRefused(() => cron.next(new Date(0)));
      if (next !== undefined) ok(next.getTime() > 0, String(next));
    }
    const took = performance.now() - began;
    ok(took < PATIENCE, `${took} ms`);
  });
});

test("F48 a URL is read, or refused as promised, and no error repeats what may be secret", async () => {
  const scheme = fc.constantFrom(
    "redis:",
    "rediss:",
    "valkeys:",
    "unix:",
    "memory:",
    "http:",
    "",
    "redis",
  );
  const secret = fc.constantFrom(
    CANARY,
    `${CANARY}%`,
    `%zz${CANARY}`,
    `${CANARY}@`,
    `:${CANARY}`,
    `/${CANARY}`,
    `#${CANARY}`,
  );
  const piece = fc.oneof(
    secret,
    fc.constantFrom("//", "/", ":", "@", "?", "#", "?db=", "6379", "127.0.0.1", "[::1]", "host"),
    anyText(5),
  );
  const options = {
    docket: "fuzz",
    clock: systemClock,
    recordTtl: 1,
    commandTimeout: 1,
    connectTimeout: 1,
    lazy: true,
  };
  const scattered = fc.tuple(scheme, fc.array(piece, { maxLength: 8 }));
  const nearlySound = fc.tuple(
    scheme,
    fc.constant("//"),
    fc.option(secret, { nil: "" }),
    fc.constant(":"),
    secret,
    fc.constant("@host"),
    fc.array(piece, { maxLength: 3 }),
  );
  const url = fc.oneof(scattered, nearlySound).map((parts) => parts.flat().join(""));

  await fuzz(500, url, async (url) => {
    ok(!hasSecret(redactUrl(url), url), redactUrl(url));
    try {
      const storage = await openStorage(url, options);
      await storage[Symbol.asyncDispose]();
    } catch (error) {
      ok(error instanceof TypeError || error instanceof DocketError, `${error}`);
      const scheme = /^\s*([^:/]*:)\/\//.exec(url)?.[1] ?? ""; // which is shown, and has no secrets
      const shown = `${error} ${error.stack} ${error.cause}`.replaceAll(scheme.toLowerCase(), "");
      ok(!shown.includes(CANARY), error.message);
    }
  });
});

test("F45 nothing that is read changes a prototype, wherever __proto__ stands", async () => {
  const key = fc.constantFrom("__proto__", "constructor", "prototype", "a", "task", "args", "ttl");
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ depthSize: "small" }, fc.jsonValue(), tie("object"), fc.array(tie("tree"))),
    object: fc.array(fc.tuple(key, tie("tree")), { maxLength: 3 }),
  }));
  const json = tree.map((value) => render(value));

  await fuzz(200, json, (text) => {
    for (const read of [(text: string) => defaultCodec.decode(text), fromRule]) {
      orRefused(() => read(text));
      orRefused(() => read(`~[${text}]`));
    }
    const value = JSON.parse(text);
    orRefused(() => defaultCodec.encode(value, "args"));
    equal(({} as Record<string, unknown>).polluted, undefined);
  });
  deepEqual(Object.getOwnPropertyNames(Object.prototype).sort(), PRISTINE);
});

test("F45 options are never taken from a prototype that came with them", async () => {
  const hostile = JSON.parse(`{ "__proto__": { "concurrency": 0, "name": "|" } }`);
  await using docket = await Docket.connect({ url: "memory://prototype" });
  const refused = orRefused(() => new Worker(docket, { ...hostile, concurrency: 3 }));
  equal(({} as Record<string, unknown>).concurrency, undefined);
  if (refused) equal(refused.name === "|", false);
});

const PRISTINE = Object.getOwnPropertyNames(Object.prototype).sort();

/** What it gives; nothing where it refuses as it may. */
function orRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const isPromised = error instanceof TypeError || error instanceof RangeError ||
      error instanceof DocketError;
    ok(isPromised && error.message !== "", `${error}`);
    ok(/^Cannot /.test(error.message), error.message); // ours, and no parser's that is used
  }
}

/** Whether what is shown has the secret, where that is not the name of the host or the path of a place. */
function hasSecret(shown: string, url: string): boolean {
  if (!shown.includes(CANARY)) return false;
  const { hostname, pathname } = new URL(url);
  return !(hostname + pathname).includes(CANARY);
}

/** JSON with keys that an object could not have twice, or at all. */
function render(value: unknown): string {
  if (!Array.isArray(value)) return JSON.stringify(value);
  const isObject = value.length > 0 &&
    value.every((one) => Array.isArray(one) && one.length === 2 && typeof one[0] === "string");
  if (!isObject) return `[${value.map(render).join(",")}]`;
  return `{${value.map(([key, inner]) => `${JSON.stringify(key)}:${render(inner)}`).join(",")}}`;
}
