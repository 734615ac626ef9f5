/**
 * A directory with the package as its users install it, and with what is to use it.
 *
 * @module
 */
import { fileURLToPath, pathToFileURL } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { buildNpm, type Packed, packNpm } from "../build_npm.ts";
import { expect } from "./command.ts";

/** Versions of TypeScript that users check with. */
export const compilers = ["5.9", "7"] as const;

/** Goes away when disposed, whatever is in it. */
export interface Directory extends AsyncDisposable {
  readonly url: URL;
}

/** What {@linkcode furnish} put into a directory. */
export interface Workspace {
  readonly packed: Packed;
  /** A project in which the tarball is installed. */
  readonly app: URL;
  /** A copy of the installed package inside `app`, for tests to stand beside its files. */
  readonly suite: URL;
  /** For files on their way. */
  readonly scratch: URL;
  /** What the tarball brought into an empty project. */
  readonly installed: { readonly packages: number; readonly bytes: number };
  /** The program of this version of Node. */
  node(version: string): string;
  /** The script of this version of TypeScript. */
  tsc(version: string): string;
}

/** Makes an empty one. */
export async function openDirectory(): Promise<Directory> {
  const path = await Deno.makeTempDir({ prefix: "docket_node_" });
  return {
    url: pathToFileURL(`${path}/`),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** What the shared tests need besides what the package brings. */
const FOR_TESTS = [
  "fast-check",
  "@opentelemetry/context-async-hooks",
  "@opentelemetry/sdk-metrics",
  "@opentelemetry/sdk-trace-base",
] as const;

/** Builds, packs and installs the package, and these versions of Node. */
export async function furnish(directory: Directory, nodes: readonly string[]): Promise<Workspace> {
  const at = (path: string) => new URL(path, directory.url);
  const [{ packed, installed }] = await Promise.all([
    installPackage(at),
    installTools(at("tools/"), nodes),
  ]);
  return {
    packed,
    installed,
    app: at("app/"),
    suite: at("app/suite/"),
    scratch: at("scratch/"),
    node: (version) => fileURLToPath(at(`tools/node_modules/node${version}/bin/node`)),
    tsc: (version) => fileURLToPath(at(`tools/node_modules/typescript${version}/bin/tsc`)),
  };
}

async function installPackage(
  at: (path: string) => URL,
): Promise<Pick<Workspace, "packed" | "installed">> {
  await buildNpm(at("npm/"));
  const packed = await packNpm(at("npm/"), at("packed/"));
  await install(at("app/"), [fileURLToPath(packed.file)]);
  const installed = await measure(at("app/node_modules/"));
  await install(at("app/"), FOR_TESTS.map((name) => config.imports[name].replace("npm:", "")));
  await copy(at(`app/node_modules/${config.name}/`), at("app/suite/"));
  return { packed, installed };
}

/** From npm, as anybody has them: `node@22` and `typescript@7` under names that may stand side by side. */
async function installTools(directory: URL, nodes: readonly string[]): Promise<void> {
  await install(directory, [
    ...nodes.map((version) => `node${version}@npm:node@${version}`),
    ...compilers.map((version) => `typescript${version}@npm:typescript@${version}`),
  ]);
}

/** Installs into the project of this directory, which is a module's when it is new. */
async function install(directory: URL, packages: readonly string[]): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  const manifest = new URL("package.json", directory);
  const fresh = await Deno.stat(manifest).then(() => false, () => true);
  if (fresh) await Deno.writeTextFile(manifest, `{ "private": true, "type": "module" }\n`);
  const options = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  await expect("npm", ["install", ...options, ...packages], { cwd: directory });
}

/** The packages below `node_modules`, without Docket itself, and the bytes of all their files. */
async function measure(folder: URL): Promise<Workspace["installed"]> {
  const lock = JSON.parse(await Deno.readTextFile(new URL(".package-lock.json", folder)));
  return { packages: Object.keys(lock.packages).length - 1, bytes: await bytesOf(folder) };
}

async function bytesOf(folder: URL): Promise<number> {
  let bytes = 0;
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    if (isDirectory) bytes += await bytesOf(new URL(`${name}/`, folder));
    if (isFile) bytes += (await Deno.stat(new URL(name, folder))).size;
  }
  return bytes;
}

async function copy(from: URL, to: URL): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(new URL(`${name}/`, from), new URL(`${name}/`, to));
    else await Deno.copyFile(new URL(name, from), new URL(name, to));
  }
}
