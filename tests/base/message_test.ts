/** What the docket stores for a task, and reads again. */

import { deepStrictEqual as deepEqual, strictEqual as equal, throws } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Codec, defaultCodec } from "../../src/base/codec.ts";
import {
  annotateMessage,
  decodeArgs,
  decodeEnding,
  decodeMessage,
  encodeEnding,
  encodeMessage,
  newerVersionOf,
} from "../../src/base/message.ts";

const reversing: Codec = {
  encode: (value) => [...defaultCodec.encode(value)].reverse().join(""),
  decode: (text) => defaultCodec.decode([...text].reverse().join("")),
};

for (const [name, codec] of Object.entries({ "the default codec": defaultCodec, reversing })) {
  test(`encodeMessage() keeps task, arguments and time to live, with ${name}`, () => {
    const args = fc.array(fc.oneof(fc.jsonValue(), fc.bigInt(), fc.constant(undefined)));
    const ttl = fc.option(fc.nat(), { nil: undefined });

    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), args, ttl, (task, args, ttl) => {
        fc.pre(
          !JSON.stringify(args, (_, v) => typeof v === "bigint" ? "" : v).includes("__proto__"),
        );
        const message = decodeMessage(encodeMessage(task, codec.encode(args), codec, ttl));
        deepEqual([message.task, message.ttl], [task, ttl]);
        deepEqual(decodeArgs(message, codec), args);
      }),
    );
  });

  test(`annotateMessage() changes nothing but the notes, with ${name}`, () => {
    const args = [`,"planned":5,"trace":"00"}`, { planned: 5, trace: "00" }];
    const text = encodeMessage("a", codec.encode(args), codec, 7);
    const planned = annotateMessage(text, { planned: 1_000 });
    const both = annotateMessage(planned, { trace: "00-1-2-01" });

    deepEqual(decodeMessage(planned), { ...decodeMessage(text), planned: 1_000 });
    deepEqual(decodeMessage(both), {
      ...decodeMessage(text),
      planned: 1_000,
      trace: "00-1-2-01",
    });
    equal(annotateMessage(both, {}), both);
    equal(annotateMessage(annotateMessage(both, { planned: 5 }), { planned: 1_000 }), both);
  });
}

test("decodeMessage() does without times that are none", () => {
  for (const time of [-1, 0.5, "1", null, 1e300]) {
    const text = JSON.stringify({ task: "a", args: [], ttl: time, planned: time, trace: 5 });
    deepEqual(decodeMessage(text), { task: "a", args: [] });
  }
});

test("encodeMessage() shows plain arguments as JSON", () => {
  const text = encodeMessage("greet", `["Jane",{"polite":true}]`, defaultCodec, undefined);

  equal(text, `{"task":"greet","args":["Jane",{"polite":true}]}`);
});

for (
  const text of [
    "",
    "nonsense",
    "null",
    "5",
    "[]",
    "{}",
    `{"task":"a"}`,
    `{"args":[]}`,
    `{"task":1,"args":[]}`,
  ]
) {
  test(`decodeMessage() refuses ${JSON.stringify(text)}`, () => {
    throws(() => decodeMessage(text), { name: "ProtocolError" }); // invariant 39
  });
}

test("decodeMessage() refuses a planted prototype", () => {
  throws(() => decodeMessage(`{"task":"a","args":[{"__proto__":1}]}`), { name: "ProtocolError" });
});

test("decodeArgs() refuses what is not a list", () => {
  throws(() => decodeArgs({ task: "a", args: `{"a":1}` }, defaultCodec), { name: "ProtocolError" });
});

test("encodeEnding() keeps every column, whatever names hold", () => {
  const name = fc.option(fc.string({ minLength: 1, unit: "grapheme" }), { nil: undefined });

  fc.assert(
    fc.property(fc.nat(), fc.option(fc.nat(), { nil: undefined }), name, name, fc.string(), (
      attempt,
      startedAt,
      worker,
      task,
      value,
    ) => {
      const ending = { attempt, startedAt, worker, task, value };
      deepEqual(decodeEnding(encodeEnding(ending)), ending);
    }),
  );
});

for (const text of ["", "nonsense", "|", "||||", "x|y|z|w|v"]) {
  test(`decodeEnding() makes the best of ${JSON.stringify(text)}`, () => {
    equal(typeof decodeEnding(text).value, "string"); // invariant 69: others may have written it
  });
}

// F40
test("decodeMessage() refuses what has a newer version, and what has none, and tells them apart", () => {
  const rest = { task: "a", args: [1] };
  deepEqual(decodeMessage(JSON.stringify({ ...rest, v: 1 })).task, "a");
  for (const v of [2, 3, 1_000]) {
    const text = JSON.stringify({ ...rest, v });
    throws(() => decodeMessage(text), { code: "PROTOCOL" });
    equal(newerVersionOf(text), v);
  }
  equal(newerVersionOf(`{"v":2}`), 2); // whatever else is in it
  for (const v of [0, -1, 1.5, "2", null, [2], {}]) {
    const text = JSON.stringify({ ...rest, v });
    throws(() => decodeMessage(text), { code: "PROTOCOL" });
    equal(newerVersionOf(text), undefined);
  }
  for (const text of ["", "null", "2", "[]", "{nope", `{"v":2`]) {
    equal(newerVersionOf(text), undefined);
  }
});
