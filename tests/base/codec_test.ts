/** Values come back as they were, or are refused where they stand. */

import {
  deepStrictEqual as deepEqual,
  doesNotThrow,
  notStrictEqual as notEqual,
  ok,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { type Codec, defaultCodec, parseJson } from "../../src/base/codec.ts";
import { SerializationError } from "../../src/base/errors.ts";

const codec: Codec = defaultCodec;

function carry<T>(value: T): T {
  return codec.decode(codec.encode(value)) as T;
}

const PLAIN: Readonly<Record<string, unknown>> = {
  "null": null,
  "true": true,
  "a number": 1.5,
  "a large number": 1e21,
  "text": 'a "quoted" ~ line\n',
  "text that looks rich": "~[1]",
  "a lone surrogate": "\ud800",
  "a list": [1, "two", [], {}],
  "an object": { a: { b: [null] }, "c d": "" },
  "the text of a dangerous key": ["__proto__", { key: "__proto__" }],
};

for (const [what, value] of Object.entries(PLAIN)) {
  test(`Codec carries ${what} as plain JSON`, () => {
    const text = codec.encode(value);

    equal(text, JSON.stringify(value)); // redis-cli shows it
    deepEqual(codec.decode(text), value);
  });
}

const RICH: Readonly<Record<string, unknown>> = {
  "undefined": undefined,
  "undefined in a list": [undefined, 1],
  "undefined in an object": { a: undefined },
  "NaN": NaN,
  "Infinity": Infinity,
  "-Infinity": -Infinity,
  "-0": -0,
  "-0 in a list": [-0, 0],
  "a bigint": 12345678901234567890n,
  "a date": new Date(1_234_567),
  "a map": new Map<unknown, unknown>([["a", new Map([[{}, 1n]])], [NaN, undefined]]),
  "a map with a dangerous key": new Map([["__proto__", 1]]),
  "a set": new Set([1, "1", new Set()]),
  "a regular expression": /a"\/<\n/giu,
  "a URL": new URL("https://user@example.com/a?b#c"),
  "a hole": [1, , 3],
  "an object without prototype": Object.assign(Object.create(null), { a: 1 }),
  "bytes in a buffer": new Uint8Array([1, 2, 255]).buffer,
};

for (const [what, value] of Object.entries(RICH)) {
  test(`Codec carries ${what}`, () => {
    const text = codec.encode(value);

    ok(text.startsWith("~"));
    deepEqual(codec.decode(text), value);
  });
}

test("Codec carries an invalid date", () => {
  const date = carry(new Date(NaN));

  ok(date instanceof Date); // for deepEqual in Node 20 no two of them are equal
  equal(date.getTime(), NaN);
});

for (
  const Class of [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
  ]
) {
  test(`Codec carries an ${Class.name}, and views`, () => {
    const whole = new Class([1, 2, 3, 4]);

    deepEqual(carry(whole), whole);
    deepEqual(carry(whole.subarray(1, 3)), new Class([2, 3]));
  });
}

test("Codec carries arrays of bigints", () => {
  const values = [new BigInt64Array([-1n, 2n]), new BigUint64Array([1n, 2n ** 64n - 1n])];

  deepEqual(carry(values), values);
});

test("Codec sends only what a view shows of its buffer", () => {
  const buffer = new TextEncoder().encode("public".padEnd(10_000, " secret"));

  const text = codec.encode([buffer.subarray(0, 6), buffer.subarray(0, 6)]);

  // Invariant 85: small buffers of a runtime are parts of one pool, with anything beside them.
  ok(text.length < 200);
  const [first, second] = codec.decode(text) as Uint8Array[];
  deepEqual([first, second], [buffer.slice(0, 6), buffer.slice(0, 6)]);
  equal(first.buffer.byteLength, 6);
});

test("Codec carries values of Temporal where the runtime has it", () => {
  if (!("Temporal" in globalThis)) return;
  const values = [
    Temporal.Instant.fromEpochMilliseconds(1_234),
    Temporal.Duration.from("P1DT2H"),
    Temporal.PlainDate.from("2026-02-28"),
    Temporal.PlainTime.from("12:34:56"),
    Temporal.PlainDateTime.from("2026-02-28T12:34:56"),
    Temporal.PlainYearMonth.from("2026-02"),
    Temporal.PlainMonthDay.from("02-28"),
    Temporal.ZonedDateTime.from("2026-02-28T12:34:56[Europe/Berlin]"),
  ];

  const carried = carry(values);

  deepEqual(carried.map(String), values.map(String));
  deepEqual(carried.map((value) => value.constructor), values.map((value) => value.constructor));
});

test("Codec carries an error with its name, message, stack and cause", () => {
  const error = new TypeError("outer", { cause: new Error("inner", { cause: { code: 5n } }) });

  const carried = carry(error);

  ok(carried instanceof TypeError);
  deepEqual([carried.name, carried.message, carried.stack], ["TypeError", "outer", error.stack]);
  ok(carried.cause instanceof Error);
  deepEqual([carried.cause.message, carried.cause.cause], ["inner", { code: 5n }]);
  deepEqual(Object.keys(carried), Object.keys(error)); // nothing became enumerable
});

test("Codec carries an error of a class of its own by its name", () => {
  class PaymentError extends Error {
    override name = "PaymentError";
  }

  const carried = carry<Error>(new PaymentError("declined"));

  deepEqual([carried.name, carried.message, carried.constructor], [
    "PaymentError",
    "declined",
    Error,
  ]);
  equal("cause" in carry(new Error("without a cause")), false);
});

test("Codec carries a value that occurs twice as one", () => {
  const shared = { a: 1 };

  const [first, second, { third }] = carry([shared, shared, { third: shared }] as const);

  ok(first === second && second === third);
});

test("Codec carries values that contain themselves", () => {
  const list: unknown[] = [];
  const map = new Map([["list", list]]);
  list.push(list, map);

  const carried = carry(list);

  equal(carried[0], carried);
  equal((carried[1] as typeof map).get("list"), carried);
});

test("Codec carries whatever fast-check thinks of, in text that any database can hold", () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
    withUnicodeString: true,
  });
  // Before Node 24 no two invalid dates are equal for deepEqual; they have a test of their own.
  const comparable = anything.filter((value) =>
    !inspect(value, { depth: Infinity, maxArrayLength: Infinity }).includes("Invalid Date")
  );

  fc.assert(
    fc.property(comparable, (value) => {
      let text: string;
      try {
        text = codec.encode(value);
      } catch (error) {
        ok(error instanceof SerializationError && error.path.endsWith("__proto__"));
        return;
      }
      ok(text.isWellFormed());
      deepEqual(codec.decode(text), value);
    }),
    { numRuns: 2_000 },
  );
});

test("Codec gives JSON wherever JSON is enough", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const json = JSON.stringify(value);
      fc.pre(!json.includes("__proto__"));
      const text = codec.encode(value);
      if (!text.startsWith("~")) equal(text, json);
      deepEqual(codec.decode(text), value);
    }),
    { numRuns: 1_000 },
  );
});

class Account {
  balance = 1;
}

const REFUSED: Readonly<Record<string, readonly [value: unknown, path: string, why: RegExp]>> = {
  "a function": [[{ user: { save() {} } }], "args[0].user.save", /a function/],
  "a symbol": [[1, Symbol("s")], "args[1]", /a symbol/],
  "a symbol key": [[{ [Symbol("s")]: 1 }], "args[0]", /symbol keys/],
  "a class instance": [[{ account: new Account() }], "args[0].account", /an instance of Account/],
  "a promise": [[Promise.resolve(1)], "args[0]", /an await/],
  "a boxed value": [[new String("s")], "args[0]", /an instance of String/],
  "a weak map": [[new WeakMap()], "args[0]", /WeakMap/],
  "a subclass of Date": [[new class Later extends Date {}()], "args[0]", /Later/],
  "a subclass of Map": [[new class Index extends Map {}()], "args[0]", /Index/],
  "a subclass of Uint8Array": [[new class Bytes extends Uint8Array {}(1)], "args[0]", /Bytes/],
  "a subclass of Array": [[new class List extends Array {}()], "args[0]", /subclass of Array/],
  "a function in a map": [[new Map([["a", () => 1]])], "args[0].get(a)", /a function/],
  "a function as a map's key": [[new Map([[() => 1, 1]])], "args[0].keys()", /a function/],
  "a function in a set": [[new Set([() => 1])], "args[0].values()", /a function/],
  "a function in a cause": [[new Error("e", { cause: () => 1 })], "args[0].cause", /a function/],
  "a __proto__ key": [[JSON.parse(`{"a":{"__proto__":1}}`)], "args[0].a.__proto__", /__proto__/],
};

for (const [what, [value, path, why]] of Object.entries(REFUSED)) {
  test(`Codec refuses ${what} and says where it stands`, () => {
    throws(() => codec.encode(value, "args"), (error) => {
      ok(error instanceof SerializationError);
      deepEqual([error.path, error.code], [path, "SERIALIZATION"]);
      ok(why.test(error.message) && error.message.includes(path), error.message);
      return true;
    });
  });
}

test("Codec refuses a value that throws when it is read", () => {
  const trap = {
    get now(): never {
      throw new Error("trap");
    },
  };

  throws(() => codec.encode(trap), { name: "SerializationError", path: "value" });
});

test("Codec refuses what is nested too deep, plain or rich", () => {
  const nest = (levels: number, leaf: unknown) => {
    let value = leaf;
    for (let i = 0; i < levels; i++) value = i % 2 ? [value] : { value };
    return value;
  };

  doesNotThrow(() => carry(nest(100, 1)));
  doesNotThrow(() => carry(nest(100, 1n)));
  for (const leaf of [1, 1n]) {
    throws(() => codec.encode(nest(101, leaf)), { name: "SerializationError" });
    throws(() => codec.encode(nest(100_000, leaf)), { name: "SerializationError" });
  }
});

// F45
for (
  const text of [
    `{"__proto__":{"admin":true}}`,
    `[{"a":{"__proto__":1}}]`,
    `{"\\u005f_proto__":1}`,
    `{"__pr\\u006fto__":1}`,
    `{"__pro\\u0074\\u006F__":1}`,
    `~[{"__proto__":1},{"admin":2},true]`,
    `~[["Object",{"__proto__":1}],5]`,
    `~[["null","__proto__",1],true]`,
  ]
) {
  test(`Codec does not read the planted ${text}`, () => {
    throws(() => codec.decode(text), { name: "SerializationError" });
  });
}

test("parseJson() reads ordinary escapes", () => {
  deepEqual(parseJson(`{"\\u0061\\u005f":"\\u0070"}`), { "a_": "p" });
});

for (const text of ["", "{", "nonsense", "~", "~nonsense", `~[["Unheard",1],2]`, "~[5]x"]) {
  test(`Codec refuses to read ${JSON.stringify(text)}`, () => {
    throws(() => codec.decode(text), { name: "SerializationError" });
  });
}

test("Codec tells values apart that look alike", () => {
  const alike = [1, "1", 1n, true, "true", null, "null", undefined, [], {}, new Map(), new Set()];

  equal(new Set(alike.map((value) => codec.encode(value))).size, alike.length);
  notEqual(codec.encode(0), codec.encode(-0));
});
