/**
 * `docket workers`: who is there, and who can run what.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import { cliTest, type Scene, timeless } from "./_docket.ts";

cliTest("docket workers ls of nobody says so, and exits with 0", async (scene) => {
  equal(await scene.prints("workers", "ls"), `No worker is alive on ${scene.name}\n`);
  equal(await scene.prints("workers", "ls", "--json"), "[]\n");
});

cliTest("docket workers ls lists them and the tasks they know", async (scene) => {
  await populate(scene);

  const text = timeless(await scene.prints("workers", "ls")).replaceAll("<span> ago", "now");
  const json = JSON.parse(await scene.prints("workers", "ls", "--json"));

  const [header, ...rows] = text.trimEnd().split("\n").map((line) => line.split(/ {2,}/));
  deepEqual(header, ["NAME", "LAST SEEN", "STARTED", "CONCURRENCY", "TASKS"]);
  deepEqual(rows, [
    ["first", "now", "now", "3", "greet"],
    ["second", "now", "now", "10", "leave wait"],
  ]);
  deepEqual(
    json.map(({ name, concurrency, tasks }: Record<string, unknown>) => [
      name,
      concurrency,
      tasks,
    ]),
    [
      ["first", 3, { greet: ["name"] }],
      ["second", 10, { leave: [], wait: [] }],
    ],
  );
  for (const { id, name, lastSeen, startedAt } of json) {
    match(`${lastSeen} ${startedAt}`, /^\d{4}-\S+Z \d{4}-\S+Z$/);
    equal(id.startsWith(`${name}~`), true);
  }
});

cliTest(
  "docket workers for-task lists those that know it, and exits with 1 without any",
  async (scene) => {
    await populate(scene);

    match(await scene.prints("workers", "for-task", "wait"), /^NAME .*\nsecond .*\n$/);
    const [only, ...others] = JSON.parse(
      await scene.prints("workers", "for-task", "greet", "--json"),
    );
    deepEqual([only.concurrency, others], [3, []]);
    deepEqual(await scene.run("workers", "for-task", "gre\x1bet"), {
      code: 1,
      stdout: `No live worker knows "gre\\u001bet" on ${scene.name}\n`,
      stderr: "",
    });
    deepEqual(await scene.run("workers", "for-task", "toString", "--json"), {
      code: 1,
      stdout: "[]\n",
      stderr: "",
    });
    match(await scene.refuses("workers", "for-task"), /`TASK`/);
  },
);

async function populate({ stage }: Scene): Promise<void> {
  function greet(name: string): string {
    return name;
  }
  function leave(): void {}
  function wait(): void {}
  const first = await stage.connect({ tasks: greet });
  const second = await stage.connect({ tasks: [leave, wait] });
  stage.start(first, { name: "first", concurrency: 3 });
  await stage.eventually(async () => (await first.workers()).length === 1);
  stage.start(second, { name: "second" });
  await stage.eventually(async () => (await first.workers()).length === 2);
}
