/**
 * Each example runs alone: without a server, to its end, with success.
 *
 * @module
 */
import { ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";

const root = new URL("../", import.meta.url);
/** How long an example may take, also on a busy machine. */
const patience = 30_000;

const examples = [...Deno.readDirSync(new URL("examples/", root))]
  .map(({ name }) => name)
  .filter((name) => name.endsWith(".ts") && !name.startsWith("_"))
  .sort();

test("There are examples", () => ok(examples.length > 0));

for (const example of examples) {
  test(`examples/${example} runs alone`, async () => {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", `examples/${example}`],
      cwd: root,
      signal: AbortSignal.timeout(patience),
    });

    const { code, stdout, stderr } = await command.output();

    const text = new TextDecoder();
    equal(code, 0, `${example} ended with ${code}:\n${text.decode(stdout)}${text.decode(stderr)}`);
  });
}
