/** What a strike matches, what it does not, and how it is stored. */

import {
  deepStrictEqual as deepEqual,
  notStrictEqual as notEqual,
  ok,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "../../src/base/errors.ts";
import {
  fromRule,
  type Strike,
  type StrikeOperator,
  Strikes,
  toRule,
} from "../../src/base/strikes.ts";

interface Warning {
  readonly message: string;
  readonly properties: Record<string, unknown>;
}

/** The strikes, and what they warn of. */
function strike(...strikes: readonly Strike[]): { strikes: Strikes; warnings: Warning[] } {
  const warnings: Warning[] = [];
  const warn = (message: string, properties: Record<string, unknown>) =>
    void warnings.push({ message, properties });
  return { strikes: new Strikes(strikes.map(toRule), warn), warnings };
}

/** Whether one argument, called `it`, matches. */
function matches(operator: StrikeOperator, value: unknown, arg: unknown): boolean {
  const { strikes } = strike({ task: "greet", parameter: "it", operator, value });
  return strikes.find("greet", ["it"], [arg]) !== undefined;
}

function shown(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`;
  if (Object.is(value, -0)) return "-0";
  if (value instanceof Map) return `Map ${shown([...value])}`;
  if (value instanceof Set) return `Set ${shown([...value])}`;
  if (typeof value === "object" || typeof value === "string") return JSON.stringify(value);
  return String(value);
}

const child = { id: 1 };
const day = new Date(1_000);

const SAME: readonly (readonly [unknown, unknown])[] = [
  ["Jane", "Jane"],
  ["", ""],
  [1, 1],
  [1n, 1n],
  [true, true],
  [null, null],
  [undefined, undefined],
  [NaN, NaN],
  [0, -0],
  [-0, 0],
  [Infinity, Infinity],
  [day, new Date(1_000)],
  [{ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }],
  [[-0, NaN], [0, NaN]],
  [[child, child], [{ id: 1 }, { id: 1 }]],
  [[day, day], [new Date(1_000), new Date(1_000)]],
  [new Map([["a", 1], ["b", 2]]), new Map([["b", 2], ["a", 1]])],
  [new Set([1, "1"]), new Set(["1", 1])],
  [new URL("https://example.com/a"), new URL("https://example.com/a")],
  [/a/g, /a/g],
  [new Uint8Array([1, 2]), new Uint8Array([0, 1, 2, 3]).subarray(1, 3)],
  [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ["~1", "~1"],
];

for (const [value, arg] of SAME) {
  test(`Strikes.find() takes ${shown(arg)} for ${shown(value)}`, () => {
    equal(matches("==", value, arg), true);
    equal(matches("!=", value, arg), false);
  });
}

const DIFFERENT: readonly (readonly [unknown, unknown])[] = [
  ["Jane", "jane"],
  [1, "1"],
  [1, 1n],
  [1n, "1"],
  [1, true],
  [0, false],
  ["", null],
  [null, undefined],
  [undefined, null],
  ["undefined", undefined],
  [NaN, "NaN"],
  [day, new Date(1_001)],
  [day, 1_000],
  [day, day.toISOString()],
  [{ a: 1 }, { a: 1, b: 2 }],
  [{ a: 1, b: undefined }, { a: 1 }],
  [[1, 2], [2, 1]],
  [[1], { 0: 1 }],
  [[], {}],
  [[1, 2], "1,2"],
  [new Map([["a", 1]]), { a: 1 }],
  [new Set([1]), [1]],
  [new URL("https://example.com/a"), "https://example.com/a"],
  [/a/g, /a/i],
  [new Uint8Array([1]), new Uint16Array([1])],
  [new Uint8Array([1]), [1]],
  ["{}", {}],
  ["~-1", undefined],
];

for (const [value, arg] of DIFFERENT) {
  test(`Strikes.find() does not take ${shown(arg)} for ${shown(value)}`, () => {
    equal(matches("==", value, arg), false);
    equal(matches("!=", value, arg), true);
  });
}

const RANKED: readonly (readonly [low: unknown, middle: unknown, high: unknown])[] = [
  [1, 2.5, 10],
  [-Infinity, 0, Infinity],
  [1n, 5n, 10n ** 30n],
  ["", "Jane", "Janet"],
  ["10", "2", "Z"],
  [new Date(0), new Date(1), new Date(2)],
];

for (const [low, middle, high] of RANKED) {
  test(`Strikes.find() ranks ${shown(low)}, ${shown(middle)}, ${shown(high)}`, () => {
    const compared = [low, middle, high].map((arg) => ({
      ">": matches(">", middle, arg),
      ">=": matches(">=", middle, arg),
      "<": matches("<", middle, arg),
      "<=": matches("<=", middle, arg),
      "from low to middle": matches("between", [low, middle], arg),
      "from middle to high": matches("between", [middle, high], arg),
    }));

    deepEqual(compared, [
      {
        ">": false,
        ">=": false,
        "<": true,
        "<=": true,
        "from low to middle": true,
        "from middle to high": false,
      },
      {
        ">": false,
        ">=": true,
        "<": false,
        "<=": true,
        "from low to middle": true,
        "from middle to high": true,
      },
      {
        ">": true,
        ">=": true,
        "<": false,
        "<=": false,
        "from low to middle": false,
        "from middle to high": true,
      },
    ]);
  });
}

test("Strikes.find() ranks instants of one kind of Temporal where the runtime has it", () => {
  if (!("Temporal" in globalThis)) return;
  const instant = Temporal.Instant.from("2026-01-01T00:00:00Z");
  const zoned = instant.toZonedDateTimeISO("UTC");
  const time = Temporal.PlainTime.from("12:00");

  equal(matches(">", instant, instant.add({ nanoseconds: 1 })), true);
  equal(matches(">", instant, instant), false);
  equal(matches("<=", zoned, zoned.add({ hours: 1 })), false);
  equal(matches("==", instant, Temporal.Instant.from("2026-01-01T00:00:00Z")), true);
  equal(matches(">=", instant, zoned), false);
  equal(matches("<=", instant, zoned), false);
  equal(matches("==", time, Temporal.PlainTime.from("12:00")), true);
  throws(() => toRule({ parameter: "it", operator: ">", value: time }), TypeError);
});

/** Claims to be what it is not. */
const impostor = { [Symbol.toStringTag]: "Date" };
const trap = {
  get id(): never {
    throw new Error("do not look");
  },
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();

const UNRANKED: readonly (readonly [limit: unknown, arg: unknown])[] = [
  [1, "2"],
  [1, 2n],
  [1, NaN],
  [1, null],
  [1, undefined],
  [1, true],
  [1, new Date(2)],
  [1, [2]],
  [1, { valueOf: () => 2 }],
  [1n, 2],
  ["a", 2],
  [day, 2_000],
  [day, new Date(NaN)],
  [day, "2026"],
  [day, impostor],
  [day, revoked.proxy],
  [1, () => 2],
];

for (const [index, [limit, arg]] of UNRANKED.entries()) {
  test(`Strikes.find() matches nothing and warns once for what has no rank (${index})`, () => {
    for (const operator of [">", ">=", "<", "<=", "between"] as const) {
      const value = operator === "between" ? [limit, limit] : limit;
      const { strikes, warnings } = strike({ parameter: "it", operator, value });

      for (let run = 0; run < 3; run++) equal(strikes.find("greet", ["it"], [arg]), undefined);

      deepEqual(warnings, [{
        message:
          "Cannot tell whether {task} is struck: its {parameter} cannot be compared by {operator}",
        properties: { task: "greet", parameter: "it", operator },
      }]);
    }
  });
}

test("Strikes.find() matches nothing and warns once for what is equal to nothing", () => {
  const circle: unknown[] = [];
  circle.push(circle);
  let bomb: unknown = "boom";
  for (let level = 0; level < 90; level++) bomb = [bomb, bomb];
  let deep: unknown = "bottom";
  for (let level = 0; level < 20_000; level++) deep = [deep];
  const strange: readonly unknown[] = [
    trap,
    revoked.proxy,
    impostor,
    circle,
    bomb,
    deep,
    new Error("whoops"),
    new (class Own {})(),
    new Array(2 ** 32 - 1),
    Object.fromEntries([["__proto__", 1]]),
  ];

  for (const arg of strange) {
    for (const operator of ["==", "!="] as const) {
      const { strikes, warnings } = strike({ parameter: "it", operator, value: { a: 1 } });

      for (let run = 0; run < 3; run++) equal(strikes.find("greet", ["it"], [arg]), undefined);

      equal(warnings.length, 1);
    }
  }
});

test("Strikes.find() does not look into an object where all strikes ask for something simple", () => {
  const { strikes, warnings } = strike({ parameter: "it", value: 1 });
  const other = strike({ parameter: "it", operator: "!=", value: 1 });

  equal(strikes.find("greet", ["it"], [trap]), undefined);
  ok(other.strikes.find("greet", ["it"], [trap]));
  deepEqual([...warnings, ...other.warnings], []);
});

test("Strikes.find() warns once for each strike", () => {
  const { strikes, warnings } = strike(
    { parameter: "it", operator: ">", value: 1 },
    { parameter: "it", operator: "<", value: 1 },
    { task: "greet", parameter: "it", operator: ">", value: 1 },
  );

  for (const task of ["greet", "leave", "greet"]) strikes.find(task, ["it"], ["text"]);

  deepEqual(warnings.map(({ properties: { task, operator } }) => [task, operator]), [
    ["greet", ">"],
    ["greet", ">"],
    ["greet", "<"],
  ]);
});

test("Strikes.find() keeps arguments and values out of its warnings", () => {
  const { strikes, warnings } = strike({ parameter: "it", operator: ">", value: "secret limit" });

  strikes.find("greet", ["it"], [{ secret: "argument" }]);

  equal(warnings.length, 1);
  ok(!JSON.stringify(warnings).includes("secret"));
});

test("Strikes.find() goes on after a strike that cannot be compared", () => {
  const { strikes, warnings } = strike(
    { parameter: "it.id", value: 1 },
    { parameter: "it", operator: ">", value: 1 },
    { parameter: "name", value: "Jane" },
  );

  equal(strikes.find("greet", ["it", "name"], [trap, "Jane"])?.parameter, "name");
  deepEqual(warnings.map(({ properties }) => properties.parameter), ["it.id", "it"]);
});

const ORDER = {
  customerId: 7,
  items: [{ id: 1 }, { id: 2 }],
  none: undefined,
  nothing: null,
  text: "text",
  byName: new Map<unknown, unknown>([["Jane", { age: 30 }], [5, "five"]]),
  "a.b": 1,
  own: Object.defineProperty({}, "__proto__", { value: 9, enumerable: true }),
  date: new Date(0),
};

const PATHS: readonly (readonly [path: string, value: unknown])[] = [
  ["order.customerId", 7],
  ["order.items.1.id", 2],
  ["order.none", undefined],
  ["order.nothing", null],
  ["order.byName.Jane.age", 30],
  ["order.own.__proto__", 9],
];

for (const [parameter, value] of PATHS) {
  test(`Strikes.find() follows ${parameter}`, () => {
    const { strikes, warnings } = strike({ parameter, value });

    ok(strikes.find("ship", ["order"], [ORDER]));
    deepEqual(warnings, []);
  });
}

const ABSENT: readonly string[] = [
  "order.missing",
  "order.missing.id",
  "order.none.id",
  "order.nothing.id",
  "order.customerId.toFixed",
  "order.text.length",
  "order.text.0",
  "order.items.2",
  "order.items.-1",
  "order.items.01",
  "order.items.1.0",
  "order.items.length",
  "order.items.at",
  "order.byName.size",
  "order.byName.John",
  "order.byName.5",
  "order.date.getTime",
  "order.a.b",
  "order.",
  "order..customerId",
  ".order",
  "order.__proto__",
  "order.constructor",
  "order.constructor.name",
  "order.items.__proto__",
  "order.toString",
  "order.hasOwnProperty",
  "Order",
  "ord",
  "orders",
  "constructor",
  "__proto__",
  "length",
  "0",
  "1",
  "2",
  "-1",
  "other",
  "other.id",
];

for (const parameter of ABSENT) {
  test(`Strikes.find() matches nothing where ${parameter} is absent, not even !=`, () => {
    const { strikes, warnings } = strike(
      { parameter, operator: "!=", value: "something else" },
      { parameter, value: undefined },
    );

    equal(strikes.find("ship", ["order", "other"], [ORDER]), undefined);
    deepEqual(warnings, []);
  });
}

test("Strikes.find() reads what a prototype holds neither from objects nor from lists", () => {
  const inherits = Object.create({ id: 1 });
  const { strikes } = strike({ parameter: "it.id", value: 1 });

  equal(strikes.find("greet", ["it"], [inherits]), undefined);
  equal(
    strikes.find("greet", ["it"], [
      new (class Own {
        id = 1;
      })(),
    ]),
    undefined,
  );
});

test("Strikes.find() tells an argument that is undefined from one that is absent", () => {
  const { strikes } = strike({ parameter: "it", value: undefined });

  ok(strikes.find("greet", ["it"], [undefined]));
  equal(strikes.find("greet", ["it"], []), undefined);
});

test("Strikes.find() calls arguments without a name by their position", () => {
  const second = strike({ parameter: "1", value: "b" }).strikes;
  const inside = strike({ parameter: "1.id", value: "b" }).strikes;

  ok(second.find("greet", [], ["a", "b"]));
  ok(second.find("greet", ["it"], ["a", "b"]));
  ok(second.find("greet", ["it", "1"], ["a", "b"]));
  ok(inside.find("greet", [], ["a", { id: "b" }]));
  equal(second.find("greet", ["it", "that"], ["a", "b"]), undefined);
  equal(second.find("greet", ["it", "that", "1"], ["b", "b", "c"]), undefined);
});

test("Strikes.find() prefers the longest name to a path", () => {
  const { strikes } = strike({ parameter: "order.customer.id", value: 1 });
  const one = { customer: { id: 1 } };

  ok(strikes.find("ship", ["order"], [one]));
  ok(strikes.find("ship", ["order", "order.customer"], [{}, { id: 1 }]));
  ok(strikes.find("ship", ["order", "order.customer", "order.customer.id"], [{}, {}, 1]));
  equal(strikes.find("ship", ["order", "order.customer"], [one, {}]), undefined);
  equal(strikes.find("ship", ["order", "order.customer.id"], [one, 2]), undefined);
  equal(strikes.find("ship", ["order", "order.customer.id"], [one]), undefined);
});

test("Strikes.find() takes names as they are, also those of Object.prototype", () => {
  const { strikes } = strike({ task: "constructor", parameter: "__proto__", value: 1 });

  ok(strikes.find("constructor", ["__proto__"], [1]));
  equal(strikes.find("toString", ["__proto__"], [1]), undefined);
});

test("Strikes.find() gives the strike: of the task, of its parameters, of every task", () => {
  const { strikes } = strike(
    { parameter: "it", value: 1 },
    { task: "greet", parameter: "it", operator: "<", value: 3 },
    { task: "greet" },
  );
  const others = strike(
    { parameter: "it", value: 1 },
    { task: "greet", parameter: "it", operator: "<", value: 3 },
  ).strikes;

  deepEqual(strikes.find("greet", [], []), { task: "greet" });
  deepEqual(others.find("greet", ["it"], [1]), {
    task: "greet",
    parameter: "it",
    operator: "<",
    value: 3,
  });
  deepEqual(others.find("leave", ["it"], [1]), { parameter: "it", operator: "==", value: 1 });
  equal(others.find("leave", ["it"], [2]), undefined);
});

test("Strikes.strikesTask() knows whole tasks only", () => {
  const { strikes } = strike({ task: "greet" }, { task: "leave", parameter: "it", value: 1 });

  equal(strikes.strikesTask("greet"), true);
  equal(strikes.strikesTask("leave"), false);
  equal(strikes.strikesTask("constructor"), false);
  equal(strikes.empty, false);
});

test("Strikes without rules are empty", () => {
  const { strikes } = strike();

  equal(strikes.empty, true);
  deepEqual(strikes.list(), []);
  equal(strikes.strikesTask("greet"), false);
  equal(strikes.find("greet", ["it"], [trap]), undefined);
});

test("Strikes.find() encodes an argument once for 10,000 strikes, and not at all for other tasks", () => {
  const many = Array.from({ length: 10_000 }, (_, id) => ({
    task: "greet",
    parameter: "it",
    value: { id },
  }));
  const { strikes } = strike(...many);
  let reads = 0;
  const counted = (id: number) => ({
    get id(): number {
      reads++;
      return id;
    },
  });

  deepEqual(strikes.find("greet", ["it"], [counted(9_999)])?.value, { id: 9_999 });
  const once = reads;
  equal(strikes.find("greet", ["it"], [counted(10_000)]), undefined);
  equal(reads, 2 * once);
  ok(once <= 2, `the argument was read ${once} times`);

  equal(strikes.find("leave", ["it"], [counted(1)]), undefined);
  equal(strikes.find("greet", ["that"], [counted(1)]), undefined);
  equal(reads, 2 * once);
});

test("Strikes skips rules that it cannot read, and warns once without showing them", () => {
  const warnings: Warning[] = [];
  const rules = ["secret", toRule({ task: "greet" }), '["secret","a","~",""]', "[]"];

  const strikes = new Strikes(
    rules,
    (message, properties) => void warnings.push({ message, properties }),
  );

  deepEqual(strikes.list(), [{ task: "greet" }]);
  equal(warnings.length, 1);
  equal(warnings[0].properties.count, 3);
  ok(!JSON.stringify(warnings).includes("secret"));
});

test("Strikes.list() gives each strike once, in order", () => {
  const greet = toRule({ task: "greet" });
  const jane = toRule({ parameter: "name", value: "Jane" });

  deepEqual(new Strikes([jane, greet, jane], () => {}).list(), [
    { parameter: "name", operator: "==", value: "Jane" },
    { task: "greet" },
  ]);
});

const TEXTS: readonly (readonly [Strike, string])[] = [
  [{ task: "greet" }, '["greet"]'],
  [{ task: "greet", parameter: undefined, operator: undefined, value: undefined }, '["greet"]'],
  [{ task: "greet", parameter: "name", value: "Jane" }, '["greet","name","==","\\"Jane\\""]'],
  [{ parameter: "name", operator: "!=", value: undefined }, '[null,"name","!=","~-1"]'],
  [{ parameter: "it", operator: ">", value: -0 }, '[null,"it",">","0"]'],
  [
    { value: [1, 2], operator: "between", parameter: "it", task: 'a "b"' },
    '["a \\"b\\"","it","between","[1,2]"]',
  ],
  [{ parameter: "it", value: { b: 1, a: 2 } }, '[null,"it","==","{\\"a\\":2,\\"b\\":1}"]'],
];

for (const [given, text] of TEXTS) {
  test(`toRule() writes ${text}`, () => {
    equal(toRule(given), text);
    equal(toRule(fromRule(text)), text);
  });
}

test("toRule() writes equal strikes the same and others differently", () => {
  const texts = [...SAME, ...DIFFERENT].map((pair) =>
    pair.map((value) => toRule({ parameter: "it", value }))
  );

  for (const [one, other] of texts.slice(0, SAME.length)) equal(one, other);
  for (const [one, other] of texts.slice(SAME.length)) notEqual(one, other);
});

test("fromRule() gives what toRule() was given, and any JSON value matches itself", () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }),
      fc.jsonValue({ noUnicodeString: false }),
      (task, value) => {
        const given = { task, parameter: "it", operator: "==" as const, value };
        if (JSON.stringify(value)?.includes("__proto__")) return;
        const text = toRule(given);

        equal(toRule(fromRule(text)), text);
        ok(new Strikes([text], () => {}).find(task, ["it"], [structuredClone(value)]));
      },
    ),
  );
});

const whoops: readonly (readonly [unknown, typeof TypeError | typeof RangeError])[] = [
  [{}, TypeError],
  [null, TypeError],
  ["greet", TypeError],
  [{ task: "" }, TypeError],
  [{ task: null }, TypeError],
  [{ task: 5 }, TypeError],
  [{ task: "greet", parameter: "", value: 1 }, TypeError],
  [{ task: "greet", parameter: 5, value: 1 }, TypeError],
  [{ task: "greet", parameter: undefined, value: 5 }, TypeError],
  [{ task: "greet", value: 1 }, TypeError],
  [{ task: "greet", operator: "==" }, TypeError],
  [{ value: 1 }, TypeError],
  [{ parameter: "it" }, TypeError],
  [{ parameter: "it", operator: ">" }, TypeError],
  [{ parameter: "it", value: 1, operator: "constructor" }, TypeError],
  [{ parameter: "it", value: 1, operator: "=" }, TypeError],
  [{ parameter: "it", value: 1, operator: null }, TypeError],
  [{ parameter: "it", value: 1, operater: ">" }, TypeError],
  [{ task: "greet", key: "k" }, TypeError],
  [{ parameter: "it", operator: ">", value: undefined }, TypeError],
  [{ parameter: "it", operator: ">", value: NaN }, TypeError],
  [{ parameter: "it", operator: "<", value: null }, TypeError],
  [{ parameter: "it", operator: ">=", value: new Date(NaN) }, TypeError],
  [{ parameter: "it", operator: "<=", value: { a: 1 } }, TypeError],
  [{ parameter: "it", operator: "<=", value: [1] }, TypeError],
  [{ parameter: "it", operator: "between", value: 1 }, TypeError],
  [{ parameter: "it", operator: "between", value: "ab" }, TypeError],
  [{ parameter: "it", operator: "between", value: [1] }, TypeError],
  [{ parameter: "it", operator: "between", value: [1, 2, 3] }, TypeError],
  [{ parameter: "it", operator: "between", value: [1, "2"] }, TypeError],
  [{ parameter: "it", operator: "between", value: [1, NaN] }, TypeError],
  [{ parameter: "it", operator: "between", value: [undefined, undefined] }, TypeError],
  [{ parameter: "it", operator: "between", value: [2, 1] }, RangeError],
  [{ parameter: "it", operator: "between", value: ["b", "a"] }, RangeError],
  [{ parameter: "it", value: () => 1 }, TypeError],
  [{ parameter: "it", value: Symbol() }, TypeError],
  [{ parameter: "it", value: new Error("whoops") }, TypeError],
  [{ parameter: "it", value: { [Symbol()]: 1 } }, TypeError],
  [{ parameter: "it", value: trap }, TypeError],
  [{ parameter: "it", value: new Array(20_000) }, TypeError],
];

for (const [index, [given, Class]] of whoops.entries()) {
  test(`toRule() refuses what is no strike (${index})`, () => {
    throws(() => toRule(given as Strike), (error) => {
      return error instanceof Class && /^Cannot (strike|use) .*[^.]$/.test(error.message);
    });
  });
}

test("toRule() names what it was given", () => {
  const low = { parameter: "it", operator: "between", value: [9, 3] } as const;
  const unknown = { parameter: "it", operator: "like", value: 1 } as unknown as Strike;

  throws(() => toRule(low), {
    message: 'Cannot use [9, 3] for "value": its low end is above its high end',
  });
  throws(() => toRule(unknown), {
    message: 'Cannot use "like" for "operator": it must be one of ==, !=, >, >=, <, <=, between',
  });
});

const UNREADABLE: readonly string[] = [
  "",
  "greet",
  "{}",
  "null",
  "[]",
  '[""]',
  "[5]",
  "[null]",
  '["greet",null,null,null]',
  '["greet","it","=="]',
  '["greet","it","==","1","more"]',
  '["greet","it","==",1]',
  '["greet","it","==",null]',
  '["greet","it","==","{"]',
  '["greet","it","==","~[[\\"Unknown\\",1]]"]',
  '["greet","it","constructor","1"]',
  '["greet","it",">","{}"]',
  '["greet","it","between","[2,1]"]',
  '["greet","it","==","{\\"__proto__\\":1}"]',
  '["greet",{"__proto__":1},"==","1"]',
  `["greet","it","==","${"[".repeat(5_000)}${"]".repeat(5_000)}"]`,
];

for (const text of UNREADABLE) {
  test(`fromRule() refuses ${text.slice(0, 60)}`, () => {
    throws(() => fromRule(text), (error) => {
      return error instanceof ProtocolError &&
        error.message.startsWith("Cannot read a stored strike");
    });
  });
}
