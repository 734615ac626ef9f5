/**
 * The package as npm users get it: built, installed and run by the Node of this machine.
 *
 * @module
 */
import { strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { buildNpm } from "../../scripts/build_npm.ts";

const script = `
import { Docket, Worker } from "@docket/docket";

async function greet(name) {
  return \`Hello, \${name}!\`;
}

const docket = await Docket.connect({ name: "smoke", url: "memory://smoke" });
const execution = await docket.add(greet)("Jane");
const worker = new Worker(docket);
await worker.runUntilFinished();
console.log(await execution.result());
await worker.close();
await docket.close();
`;

test("The npm package runs a task in Node", async () => {
  const directory = await Deno.makeTempDir({ prefix: "docket_npm_" });
  try {
    await buildNpm(new URL("package/", pathToFileURL(`${directory}/`)));
    await Deno.mkdir(`${directory}/app`);
    await Deno.writeTextFile(`${directory}/app/package.json`, `{ "private": true }`);
    await Deno.writeTextFile(`${directory}/app/main.mjs`, script);
    // As from the registry: a packed copy, with the dependencies that its package.json names.
    const install = ["install", "--install-links", "--no-audit", "--no-fund", "../package"];
    await run("npm", install, `${directory}/app`);

    const printed = await run("node", ["main.mjs"], `${directory}/app`);

    equal(printed, "Hello, Jane!\n");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

async function run(program: string, args: string[], cwd: string): Promise<string> {
  const signal = AbortSignal.timeout(60_000);
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd, signal })
    .output();
  const text = new TextDecoder();
  if (!success) throw new Error(`Cannot run ${program} ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}
