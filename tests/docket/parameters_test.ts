/** Names of parameters, as the source of a function shows them. */

import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parameterNames } from "../../src/docket/parameters.ts";
import type { AnyFunction } from "../../src/docket/registry.ts";

/** The function that an expression gives, with its source as it stands here. */
function functionOf(source: string): AnyFunction {
  return new Function(`return (${source});`)() as AnyFunction;
}

/** The method that stands alone in an object. */
function methodOf(source: string): AnyFunction {
  const [descriptor] = Object.values(
    Object.getOwnPropertyDescriptors(functionOf(`{ ${source} }`)),
  ) as PropertyDescriptor[];
  return (descriptor.value ?? descriptor.get ?? descriptor.set) as AnyFunction;
}

const FORMS: Readonly<Record<string, readonly string[]>> = {
  "() => 0": [],
  "x => x": ["x"],
  "async x => x": ["x"],
  "async => async": ["async"],
  "$_ü1 => 0": ["$_ü1"],
  "𠮷 => 0": ["𠮷"],
  "(a, b) => a": ["a", "b"],
  "(a, b,) => a": ["a", "b"],
  "async (a, b) => a": ["a", "b"],
  "function (a, b) {}": ["a", "b"],
  "function named(a) {}": ["a"],
  "async function named(a) {}": ["a"],
  "function* named(a) {}": ["a"],
  "async function * (a) {}": ["a"],
  "/* x => */ function /* (z) */ named // (y)\n ( /* , */ a // b,\n , b /* = 1 */ = 2 ) {}": [
    "a",
    "b",
  ],
  "(get, set, of, async, from) => 0": ["get", "set", "of", "async", "from"],
  "function (a,\n\tb\u00a0,\ufeffc) {}": ["a", "b", "c"],
};

const METHODS: Readonly<Record<string, readonly string[]>> = {
  "plain(a, b) {}": ["a", "b"],
  "async plain(a) {}": ["a"],
  "*plain(a) {}": ["a"],
  "async *plain(a) {}": ["a"],
  "get plain() { return 0; }": [],
  "set plain(a) {}": ["a"],
  "async(a) {}": ["a"],
  "get(a) {}": ["a"],
  "class(a) {}": ["a"],
  "function(a) {}": ["a"],
  "'quo\\'ted ('(a) {}": ["a"],
  '"quo\\"ted ("(a) {}': ["a"],
  "12(a) {}": ["a"],
  "1e3(a) {}": ["a"],
  "[`computed ${'(x)'}` + [/[)\\]]/.source]](a) {}": ["a"],
  "[(z => z)('name')](a) {}": ["a"],
  "property: (a) => 0": ["a"],
};

/** What may stand behind `=`, each with every sign that could be taken for the end of it. */
const DEFAULTS: readonly string[] = [
  "1",
  "-1.5e+3",
  "'en'",
  '"a, b) => \\" \'"',
  "'it\\'s (, \\\\'",
  "`text, ) ${`inner ${'}'} ` + (1, 2)} \\` \\${ ,`",
  "``",
  "{ a: 1, b: [2, 3], c: { d: ')' } }",
  "[1, [2, 3], ...[4, 5]]",
  "(1, 2)",
  "(x, y = 3) => (x, y)",
  "async (x) => { await x; return [x, y => y]; }",
  "function (x, y) { return x, y; }",
  "class { m(x, y) { return `,`; } }",
  "new Map([[1, 2]])",
  "/[/,)]/g",
  "/\\/,\\(/.source",
  "/a\\)/.test(')') ? /b,/u : /[\\]),]/",
  "!/,/.test(',')",
  "4 / 2 / 1",
  "(4, 2) / 2",
  "[4][0] / 2 / 1",
  "Math.PI / 2 /* , ) */ / 3",
  "1 // , )\n",
  "typeof /,/",
  "[1, 2].map((x) => x / 2)[0] / 2",
  "((i) => { if (i) /[)}'\"]/.test(i); return i; })(1)",
  "((i) => i++ / 2)(1)",
  "((i) => --i / 2)(1)",
  "((i) => { for (const x of []) { } while (i--) ; return /[)]/ })(0)",
  "void 0 ?? 1",
  "{ return: 4 }.return / 2",
  "{ if: (x) => x }.if(4) / 2",
  "{ a: { of: 4 } }.a?.of / 2",
  "1 < 2 ? 3 > 4 : (5 >> 1, 6)",
  "'\\u2028' + \"\\\n\"",
  "[.../,./.source, ...typeof /'/]",
];

for (const [source, names] of Object.entries(FORMS)) {
  test(`parameterNames() reads ${JSON.stringify(source)}`, () => {
    deepEqual(parameterNames(functionOf(source), 0), names);
  });
}

for (const [source, names] of Object.entries(METHODS)) {
  test(`parameterNames() reads the method ${source}`, () => {
    deepEqual(parameterNames(methodOf(source), 0), names);
  });
}

for (const value of DEFAULTS) {
  test(`parameterNames() passes over the default ${JSON.stringify(value)}`, () => {
    for (const source of [`(a = ${value}, b) => 0`, `function (a=${value},b = ${value}\n) {}`]) {
      deepEqual(parameterNames(functionOf(source), 0), ["a", "b"]);
    }
  });
}

test("parameterNames() names by position what has no name", () => {
  deepEqual(parameterNames(({ a: _ }: { a: 1 }, b: 1, [_c]: [1], ...rest: 1[]) => [b, rest], 0), [
    "0",
    "b",
    "2",
    "3",
  ]);
  const source = "({ a = '},', b: { c } } = {}, [d, [e] = [1, 2]] = [], f, ...{ length }) => 0";
  deepEqual(parameterNames(functionOf(source), 0), ["0", "1", "f", "3"]);
});

test("parameterNames() leaves out the first ones, and counts positions after them", () => {
  const handler = (_context: unknown, name: string, [_first]: string[], locale = "en") => [
    name,
    locale,
  ];

  deepEqual(parameterNames(handler, 1), ["name", "1", "locale"]);
  deepEqual(parameterNames(functionOf("({ log }, { id }) => 0"), 1), ["0"]);
  deepEqual(parameterNames(functionOf("context => 0"), 1), []);
  deepEqual(parameterNames(functionOf("() => 0"), 1), []);
  deepEqual(parameterNames(functionOf("(...all) => 0"), 1), []);
});

test("parameterNames() finds none where the source is not shown", () => {
  const natives = [
    Math.max,
    Array.prototype.push,
    function (this: unknown, a: number) {
      return a;
    }.bind(null),
    new Proxy((a: number) => a, {}),
    Map as unknown as AnyFunction,
  ];

  for (const native of natives) deepEqual(parameterNames(native, 0), []);
});

test("parameterNames() finds none in classes", () => {
  for (
    const source of [
      "class { constructor(a) {} }",
      "class Name { constructor(a) {} }",
      "class extends (class { constructor(a) {} }) {}",
      "class Name extends (Object) { m(a) {} }",
    ]
  ) {
    deepEqual(parameterNames(functionOf(source), 0), []);
  }
});

test("parameterNames() reads functions made from text", () => {
  deepEqual(parameterNames(new Function("a, b /* , c */", "d = 1", "return a") as AnyFunction, 0), [
    "a",
    "b",
    "d",
  ]);
});

// A wrong name would strike the wrong parameter; behind the list, arguments are called by position.
const DOUBTFUL: Readonly<Record<string, readonly string[]>> = {
  "(a, n\\u0061me, c) => 0": ["a"],
  "(a, b = function () {} / 2, c = 1 / 2, d) => 0": ["a", "b"],
  "(a, b = (of) => of / 2, c = 1 / 2, d) => 0": ["a", "b"],
  "(a, b = 1 <!-- , x)\n, c) => 0": ["a", "b"],
  "\\u0061 => 0": [],
};

for (const [source, names] of Object.entries(DOUBTFUL)) {
  test(`parameterNames() stops where it is in doubt: ${JSON.stringify(source)}`, () => {
    deepEqual(parameterNames(functionOf(source), 0), names);
  });
}

test("parameterNames() never throws", () => {
  const deep = `(a = ${"`${".repeat(3_000)}1${"}`".repeat(3_000)}, b) => 0`;
  let function_: AnyFunction | undefined;
  try {
    function_ = functionOf(deep);
  } catch {
    // The engine itself cannot read that deep.
  }

  if (function_) parameterNames(function_, 0);
  for (const value of [undefined, null, {}, "x => x", 5]) {
    deepEqual(parameterNames(value as unknown as AnyFunction, 0), []);
  }
});

test("parameterNames() reads lists put together at random", () => {
  const named = (value: string) => (index: number) => [`p${index}`, `p${index}${value}`] as const;
  const unnamed = (form: string) => (index: number) =>
    [`${index}`, form.replaceAll("_", `p${index}`)] as const;
  const parameter = fc.oneof(
    fc.constant(named("")),
    fc.constantFrom(...DEFAULTS.map((value) => named(` = ${value}`))),
    fc.constantFrom(...["{ a: [_] }", "[{ _ }]", "{}", "[_ = /,/] = [1, 2]"].map(unnamed)),
  );
  const form = fc.constantFrom(
    (list: string) => `(${list}) => 0`,
    (list: string) => `async (${list}) => { return ")"; }`,
    (list: string) => `function* named (${list}) {}`,
    (list: string) => `{ async [")"](${list}) {} }[")"]`,
  );

  fc.assert(
    fc.property(fc.array(parameter, { maxLength: 6 }), form, (parameters, form) => {
      const list = parameters.map((make, index) => make(index));
      const source = form(list.map(([, source]) => source).join(", "));

      deepEqual(parameterNames(functionOf(source), 0), list.map(([name]) => name));
    }),
    { numRuns: 300 },
  );
});
