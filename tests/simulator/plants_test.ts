// A check that cannot fail is none: the simulator finds what is planted. `deno task plant --on simulator` plants all.
import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import { survey } from "../../scripts/plant.ts";
import { protocolBugs } from "../../scripts/plants/protocol.ts";

/** Those that show within a few seeds. */
const QUICK = [
  "a settlement counts under any token",
  "a replacement is lost when the run ends",
  "a step that is sent again claims again",
];

test("the simulator finds planted bugs of the protocol", async () => {
  const chosen = protocolBugs.filter(({ name }) => QUICK.includes(name));

  const findings = await survey("simulator", chosen, "", { isWell: true });

  deepEqual(findings.map(({ bug }) => bug), QUICK);
  for (const { bug, ok: found, what } of findings) ok(found, `${bug}: ${what}`);
});

test("every planted bug of the protocol fits the sources", async () => {
  for (const { name, simulator } of protocolBugs) {
    const { file, find } = simulator!;
    const source = await Deno.readTextFile(new URL(`../../${file}`, import.meta.url));
    ok(source.split(find).length === 2, `${name}: ${file} has ${JSON.stringify(find)} not once`);
  }
});
