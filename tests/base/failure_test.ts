import { ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { decodeFailure, encodeFailure } from "../../src/base/failure.ts";

// F11: of whatever is thrown so much is kept, and no more
for (
  const [what, error] of [
    ["a long message", new Error("x".repeat(1_000_000))],
    ["a long text", "x".repeat(1_000_000)],
    ["a long name", Object.assign(new Error("short"), { name: "x".repeat(1_000_000) })],
    ["a long stack", Object.assign(new Error("short"), { stack: "x".repeat(1_000_000) })],
    ["a long property", Object.assign(new Error("short"), { body: "x".repeat(1_000_000) })],
    ["many causes", chain(10_000)],
    ["many errors", new AggregateError(Array.from({ length: 10_000 }, () => new Error("one")))],
    ["what is deep", deep(100_000)],
  ] as const
) {
  test(`encodeFailure() keeps little of ${what}`, () => {
    const text = encodeFailure(error);

    ok(text.length <= 5_000, `${text.length}`);
    ok(decodeFailure(text) !== undefined);
  });
}

test("encodeFailure() keeps the name and the beginning of a message that is too long", () => {
  const error = decodeFailure(encodeFailure(new RangeError("begins ".repeat(100_000))));

  ok(error instanceof Error);
  equal(error.name, "RangeError");
  ok(error.message.startsWith("begins begins "));
});

function chain(length: number): Error {
  let error = new Error("first");
  for (let i = 0; i < length; i++) error = new Error("next", { cause: error });
  return error;
}

function deep(levels: number): unknown {
  let value: unknown = 0;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}
