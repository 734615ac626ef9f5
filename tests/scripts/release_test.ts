/**
 * What the release makes, as far as it can be made without it: the binary's graph and what is embedded in it, with a
 * stand-in for the runtime that only the release downloads; and what that binary is asked to do, asked of the sources.
 *
 * @module
 */

import { ok, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import config from "../../deno.json" with { type: "json" };
import { compileArgs } from "../../scripts/compile.ts";
import { smoke } from "../../scripts/smoke.ts";

const root = new URL("../../", import.meta.url);

test("The binary has in it whatever users import, and nothing of the tests", async () => {
  const directory = await Deno.makeTempDir({ prefix: "docket_compile_" });
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: compileArgs({ output: `${directory}/docket` }),
      cwd: fileURLToPath(root),
      env: { DENORT_BIN: "/bin/true" },
    }).output();
    const report = stripVTControlCharacters(new TextDecoder().decode(stderr));

    equal(success, true, report);
    const embedded = await Deno.readTextFile(`${directory}/docket`);
    for (const path of Object.values(config.exports)) {
      const source = await Deno.readTextFile(new URL(path, root));
      ok(embedded.includes(source), `${path} is not in the binary`);
    }
    ok(!report.includes("fast-check"), "a package that only tests need is in the binary");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

test("The command line loads task files from elsewhere, which share its library", async () => {
  const url = process.env.REDIS_URL;
  ok(url, "REDIS_URL is not set: `deno task test` does that");

  await smoke([Deno.execPath(), "run", "-A", fileURLToPath(new URL("cli.ts", root))], url);
});
