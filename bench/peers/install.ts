/**
 * What the peers need, in a folder that git ignores: themselves, the Node they run in, and the docket as npm would have it.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { buildNpm, packNpm } from "../../scripts/build_npm.ts";
import { expect } from "../../scripts/node/command.ts";

const folder = new URL("./", import.meta.url);
const installed = new URL("node_modules/.lock", folder);

/** The program of the Node that was installed. */
export const node = fileURLToPath(new URL("node_modules/node/bin/node", folder));

/** Installs what the lock names, unless that is there already, and the docket as its sources are now. */
export async function install(): Promise<void> {
  const lock = await Deno.readTextFile(new URL("package-lock.json", folder));
  if (await Deno.readTextFile(installed).catch(() => undefined) !== lock) {
    await npm("ci");
    await Deno.writeTextFile(installed, lock);
  }
  await buildNpm();
  const { file } = await packNpm();
  await npm("install", "--no-save", fileURLToPath(file));
}

/** The version of a package that was installed. */
export async function version(name: string): Promise<string> {
  const manifest = new URL(`node_modules/${name}/package.json`, folder);
  return JSON.parse(await Deno.readTextFile(manifest)).version;
}

async function npm(...args: string[]): Promise<void> {
  const options = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  await expect("npm", [...args, ...options], { cwd: folder });
}
