/**
 * `docket strike`, `docket restore` and `docket strikes`.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import type { Docket } from "../../mod.ts";
import { cliTest, forEach } from "./_docket.ts";

function remind(customer: unknown): unknown {
  return customer;
}

/** What is written, what it strikes, what is like it and not struck, and how it is listed. */
const VALUES: readonly (readonly [
  operator: string,
  written: string,
  struck: unknown,
  other: unknown,
  listed: string,
])[] = [
  ["==", "42", 42, "42", "42"],
  ["==", "int:43", 43, 42n, "43"],
  ["==", "str:44", "44", 44, '"44"'],
  ["==", "jane", "jane", "john", '"jane"'],
  ["==", "true", true, "true", "true"],
  ["==", "null", null, "null", "null"],
  ["==", "float:0.5", 0.5, "0.5", "0.5"],
  [
    "==",
    "bigint:12345678901234567890",
    12345678901234567890n,
    "12345678901234567890",
    "bigint:12345678901234567890",
  ],
  [
    "==",
    "date:2026-01-31",
    new Date("2026-01-31T00:00Z"),
    "2026-01-31",
    "date:2026-01-31T00:00:00.000Z",
  ],
  [">", "1000", 1_001, 1_000, "1000"],
  ["between", "[100,200]", 200, 201, "[100, 200]"],
];

cliTest("docket strike holds for values of every type, until restored", async (scene) => {
  const docket = await scene.connect();
  docket.register(remind);
  scene.stage.start(docket);
  await scene.stage.eventually(async () => (await docket.workers()).length > 0);
  const told = ([operator, , , , listed]: (typeof VALUES)[number]) =>
    `remind with customer ${operator} ${listed}`;

  await forEach(VALUES, async (value) => {
    const [operator, written] = value;
    const printed = await scene.prints("strike", "remind", "customer", operator, written);
    equal(printed, `Struck ${told(value)}\n`);
  });

  for (const [, written, struck, other] of VALUES) {
    equal(await dispositionOf(docket, struck), "struck", written);
    equal(await dispositionOf(docket, other), "scheduled", written);
  }
  const listed = JSON.parse(await scene.prints("strikes", "--json"));
  deepEqual(
    listed.map((one: Record<string, string>) => `${one.operator} ${one.value}`).sort(),
    VALUES.map(([operator, , , , value]) => `${operator} ${value}`).sort(),
  );
  for (const one of listed) deepEqual([one.task, one.parameter], ["remind", "customer"]);

  // As they are listed they can be given again.
  await forEach(VALUES, async (value) => {
    const [operator, , , , written] = value;
    const printed = await scene.prints("restore", "remind", "customer", operator, written);
    equal(printed, `Restored ${told(value)}\n`);
  });

  for (const [, written, struck] of VALUES) {
    equal(await dispositionOf(docket, struck), "scheduled", written);
  }
  equal(await scene.prints("strikes"), `Nothing is struck on ${scene.name}\n`);
});

cliTest("docket strike of a task strikes it whatever its arguments", async (scene) => {
  const docket = await scene.connect();

  equal(await scene.prints("strike", "remind"), "Struck remind\n");
  equal(await scene.prints("strike", "remind"), "Struck already: remind\n");

  equal(await dispositionOf(docket, 1), "struck");
  equal(await scene.prints("restore", "remind", "*"), "Restored remind\n");
  equal(await dispositionOf(docket, 1), "scheduled");
  const { code, stdout, stderr } = await scene.run("restore", "remind");
  deepEqual([code, stdout, stderr], [1, "Was not struck: remind\n", ""]);
});

cliTest("docket strike of * or nothing is of every task", async (scene) => {
  const docket = await scene.connect();
  for (const any of ["*", ""]) {
    const { code, stdout, stderr } = await scene.run("strike", any, "customer", "==", "--", "-5");

    deepEqual([code, stdout], [0, "Struck every task with customer == -5\n"]);
    match(stderr, /^Warning: No live worker knows a parameter customer .*\n$/);
    equal(await dispositionOf(docket, -5), "struck");
    await scene.prints("restore", any, "customer", "==", "--", "-5");
  }
});

cliTest("docket strikes lists them in a table, and lets none drive a terminal", async (scene) => {
  const docket = await scene.connect();
  await docket.strike({ task: "red\x1b[31m\n" });
  await docket.strike({ parameter: "customer", operator: "!=", value: "a\x1b\u202e" });

  const [header, ...rows] = (await scene.prints("strikes")).trimEnd().split("\n");

  deepEqual([header, ...rows.sort()].map((line) => line.split(/ {2,}/)), [
    ["TASK", "PARAMETER", "OPERATOR", "VALUE"],
    ["*", "customer", "!=", '"a\\u001b\\u202e"'],
    ["red\\u001b[31m\\n", "*"],
  ]);
  const listed = JSON.parse(await scene.prints("strikes", "--json"));
  deepEqual(
    listed.map(({ task }: { task: string | null }) => task).sort(),
    [null, "red\x1b[31m\n"].sort(),
  );
});

for (
  const [args, reason] of [
    [[], /^Cannot strike everything: name a task or a parameter$/],
    [["*"], /^Cannot strike everything/],
    [["", ""], /^Cannot strike everything/],
    [["a", "b"], /^Cannot strike by "b" alone: say how to compare it, as in == 42$/],
    [["a", "b", "=="], /^Cannot strike by "b" alone/],
    [["a", "*", "==", "1"], /^Cannot strike by a value alone/],
    [["a", "b", "=", "1"], /^`OPERATOR`: Expected one of "==".* but got "="\.$/],
    [["a", "b", "betwen", "[1,2]"], /^`OPERATOR`: .* but got "betwen"\.$/],
    [["a", "b", "between", "[2,1]"], /2.*1/],
    [["a", "b", "between", "3"], /between/],
    [["a", "b", "==", "int:x"], /"x" is not a whole number/],
    [["a", "b", "==", "{broken"], /not JSON/],
    [["a", "b", "==", "1", "2"], /"2"/],
  ] as const
) {
  cliTest(`docket strike ${JSON.stringify(args)} is refused`, async (scene) => {
    match(await scene.refuses("strike", ...args), reason);
  });
}

cliTest("docket restore of everything is refused", async (scene) => {
  match(await scene.refuses("restore", "*", "*"), /^Cannot restore everything/);
});

async function dispositionOf(docket: Docket, customer: unknown): Promise<string | undefined> {
  const execution = await docket.add(remind, { delay: "1h" })(customer);
  await execution.cancel();
  return execution.disposition;
}
