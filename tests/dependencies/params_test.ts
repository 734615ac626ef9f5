/** Names of parameters, and what of their arguments may be logged. */

import { deepStrictEqual as deepEqual, strictEqual as equal, throws } from "node:assert/strict";
import { test } from "node:test";
import type { Scope } from "../../src/dependencies/dependency.ts";
import { logged, loggedLength, Params } from "../../src/dependencies/params.ts";

test("Params keeps the names in order, whatever of them is logged", () => {
  const params = new Params("customerId", logged("name"), loggedLength("items"));

  deepEqual(params.names, ["customerId", "name", "items"]);
  deepEqual(new Params().names, []);
});

test("Params is a policy, and gives nothing", () => {
  const params = new Params("name");

  equal(params.policy, "params");
  equal(params.open.call(params, ...([{}] as unknown as [])), undefined);
  equal((params as { open(scope: Scope): unknown }).open({} as Scope), undefined);
});

test("Params.loggable() shows nothing that was not declared", () => {
  deepEqual(new Params("customerId", "name").loggable(["c-1", "Jane", "more"]), {});
  deepEqual(new Params().loggable(["c-1"]), {});
});

test("Params.loggable() shows what was declared, all of it or its length", () => {
  const params = new Params("customerId", logged("name"), loggedLength("items"), logged("locale"));

  deepEqual(params.loggable(["c-1", "Jane", ["secret", "secret"], null]), {
    name: "Jane",
    items: 2,
    locale: null,
  });
});

test("Params.loggable() leaves out what is absent or undefined", () => {
  const params = new Params(logged("name"), loggedLength("items"), logged("locale"));

  deepEqual(params.loggable([undefined, undefined]), {});
  deepEqual(params.loggable([]), {});
});

const LENGTHS: readonly (readonly [string, unknown, number | undefined])[] = [
  ["a string", "Jane", 4],
  ["an empty string", "", 0],
  ["a list", [1, 2, 3], 3],
  ["a Map", new Map([[1, 2]]), 1],
  ["a Set", new Set([1, 2]), 2],
  ["a Uint8Array", new Uint8Array(5), 5],
  ["a Float64Array", new Float64Array(5), 5],
  ["an ArrayBuffer", new ArrayBuffer(7), 7],
  ["a DataView", new DataView(new ArrayBuffer(7), 2), 5],
  ["an object", { a: 1, b: 2 }, 2],
  ["an object without a prototype", Object.create(null), 0],
  ["an object with a length of its own", { length: "secret" }, 1],
  ["a number", 12_345, undefined],
  ["a bigint", 5n, undefined],
  ["true", true, undefined],
  ["null", null, undefined],
  ["a Date", new Date(0), undefined],
  ["a URL", new URL("https://example.com/secret"), undefined],
  ["an Error", new Error("secret"), undefined],
  ["a function", (a: unknown) => a, undefined],
];

for (const [what, value, length] of LENGTHS) {
  test(`Params.loggable() shows the length of ${what} and no more`, () => {
    const expected = length === undefined ? {} : { it: length };

    deepEqual(new Params(loggedLength("it")).loggable([value]), expected);
  });
}

test("Params takes names as they are, also those of Object.prototype", () => {
  const shown = new Params(logged("__proto__"), logged("constructor")).loggable([{ a: 1 }, 2]);

  deepEqual(Object.entries(shown), [["__proto__", { a: 1 }], ["constructor", 2]]);
  equal(Object.getPrototypeOf(shown), Object.prototype);
});

test("Params cannot be changed from outside", () => {
  const given = { name: "secret", shows: "length" as "length" | "value" };
  const params = new Params(given);
  given.shows = "value";

  deepEqual(params.loggable(["text"]), { secret: 4 });
  throws(() => (params.names as string[]).push("more"), TypeError);
});

test("Params refuses names that are empty, twice there, or no text", () => {
  for (const name of ["", undefined, null, 5, {}, Symbol(), logged(""), loggedLength("")]) {
    throws(() => new Params("a", name as string), {
      name: "TypeError",
      message: /^Cannot use .* as the name of a parameter: it must be some text$/,
    });
  }
  throws(() => new Params("a", "b", logged("a")), {
    name: "TypeError",
    message: 'Cannot name two parameters "a": each needs a name of its own',
  });
});
