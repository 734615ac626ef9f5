/**
 * Builds the npm package from the same sources: JavaScript that Node 20 runs, with declarations and the command line. Run by
 * itself it also packs it, into `dist/`, and prints how large that is and what it depends on.
 *
 * ```sh
 * deno task npm
 * ```
 *
 * @module
 */
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import config from "../deno.json" with { type: "json" };
import { expect } from "./node/command.ts";
import { compile, root } from "./node/compiler.ts";

const entryPoints = Object.entries(config.exports);

/** Nothing imports it: a worker starts a thread with it. */
const thread = "./src/worker/lease_thread.ts";

/** What `deno.json` has no place for. */
const described = {
  description: "Distributed background tasks for TypeScript, on Redis streams or in memory",
  keywords: [
    "background",
    "deno",
    "distributed",
    "jobs",
    "queue",
    "redis",
    "scheduler",
    "streams",
    "tasks",
    "worker",
  ],
} as const;

/** Node 20 does not know `import.meta.main`: so `cli.js` does nothing by itself, and this does. */
const bin = `#!/usr/bin/env node
import process from "node:process";
import { main } from "../cli.js";

process.exit(await main(process.argv.slice(2)));
`;

/** What `npm pack` tells. */
export interface Packed {
  /** The tarball. */
  readonly file: URL;
  /** Bytes of the tarball. */
  readonly size: number;
  /** Bytes of what is in it. */
  readonly unpackedSize: number;
  /** Paths of what is in it. */
  readonly files: readonly string[];
}

/** Writes the package to this directory, which is emptied first. */
export async function buildNpm(outDir: URL = new URL("npm/", root)): Promise<void> {
  await Deno.remove(outDir, { recursive: true }).catch(ignoreMissing);
  await Deno.mkdir(new URL("bin/", outDir), { recursive: true });
  await compile([...entryPoints.map(([, source]) => source), thread], outDir);
  for (const [, source] of entryPoints) await declareLibraries(new URL(typesOf(source), outDir));
  for (const file of ["README.md", "CHANGELOG.md", "LICENSE"]) {
    await Deno.copyFile(new URL(file, root), new URL(file, outDir));
  }
  await Deno.writeTextFile(new URL("bin/docket.js", outDir), bin, { mode: 0o755 });
  const manifest = JSON.stringify(await describe(outDir), null, 2);
  await Deno.writeTextFile(new URL("package.json", outDir), `${manifest}\n`);
}

/** Packs what {@linkcode buildNpm} wrote, as `npm publish` would. */
export async function packNpm(
  staged: URL = new URL("npm/", root),
  destination: URL = new URL("dist/", root),
): Promise<Packed> {
  await Deno.mkdir(destination, { recursive: true });
  const args = ["pack", "--json", "--pack-destination", fileURLToPath(destination)];
  const [packed] = JSON.parse(await expect("npm", args, { cwd: staged }));
  const { filename, size, unpackedSize, files } = packed;
  const paths = files.map(({ path }: { readonly path: string }) => path);
  return { file: new URL(filename, destination), size, unpackedSize, files: paths };
}

/** Names the library that `AsyncDisposable` is declared in, which a consumer's settings may lack. */
async function declareLibraries(declarations: URL): Promise<void> {
  const text = await Deno.readTextFile(declarations);
  await Deno.writeTextFile(declarations, `/// <reference lib="esnext.disposable" />\n${text}`);
}

async function describe(outDir: URL): Promise<Record<string, unknown>> {
  const { name, version, license } = config;
  const exports = Object.fromEntries(
    entryPoints.map(([path, source]) => [path, {
      types: typesOf(source),
      default: source.replace(/\.ts$/, ".js"),
    }]),
  );
  return {
    name,
    version,
    ...described,
    ...repository(),
    license,
    type: "module",
    types: "./mod.d.ts",
    exports: { ...exports, "./package.json": "./package.json" },
    bin: { docket: "./bin/docket.js" },
    files: ["bin/", "src/", "*.js", "*.d.ts", "CHANGELOG.md"],
    sideEffects: false,
    engines: { node: ">=20" },
    ...await dependenciesOf(outDir),
  };
}

/** Where this is built: npm takes a provenance only from the repository that the manifest names. */
function repository(): { readonly repository?: unknown } {
  const name = Deno.env.get("GITHUB_REPOSITORY"); // set by the release, and nowhere else
  return name ? { repository: { type: "git", url: `git+https://github.com/${name}.git` } } : {};
}

function typesOf(source: string): string {
  return source.replace(/\.ts$/, ".d.ts");
}

/**
 * The packages that the compiled files import: what only tests import does not burden users. What is only imported once
 * somebody asks for it is optional: `npm install` brings it, and `--omit=optional` does without.
 */
async function dependenciesOf(
  outDir: URL,
): Promise<Record<"dependencies" | "optionalDependencies", Record<string, string>>> {
  const compiled = (await readCompiled(outDir)).join("\n");
  const dependencies: Record<string, string> = {};
  const optionalDependencies: Record<string, string> = {};
  for (const [alias, target] of Object.entries(config.imports)) {
    const [, name, range] = target.match(/^npm:(@?[^@]+)@([^/]+)/) ?? [];
    if (!name || !range) throw new Error(`Cannot read the import of ${alias}: "${target}"`);
    if (imports(compiled, "from ", alias)) dependencies[name] = range;
    else if (imports(compiled, "import(", alias)) optionalDependencies[name] = range;
  }
  return { dependencies, optionalDependencies };
}

function imports(compiled: string, how: "from " | "import(", alias: string): boolean {
  return compiled.includes(`${how}"${alias}"`) || compiled.includes(`${how}"${alias}/`);
}

async function readCompiled(directory: URL): Promise<string[]> {
  const sources: string[] = [];
  for await (const entry of Deno.readDir(directory)) {
    const url = new URL(entry.isDirectory ? `${entry.name}/` : entry.name, directory);
    if (entry.isDirectory) sources.push(...await readCompiled(url));
    else if (/\.(js|d\.ts)$/.test(entry.name)) sources.push(await Deno.readTextFile(url));
  }
  return sources;
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** How many packages an install of this tarball brings, itself not counted. */
async function countInstalled(tarball: URL): Promise<number> {
  const directory = await Deno.makeTempDir({ prefix: "docket_npm_" });
  try {
    const args = ["install", "--package-lock-only", "--no-audit", "--no-fund"];
    await expect("npm", [...args, fileURLToPath(tarball)], { cwd: directory });
    const lock = JSON.parse(await Deno.readTextFile(`${directory}/package-lock.json`));
    return Object.keys(lock.packages).filter((path) => path !== "").length - 1;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Sizes and counts, for whoever releases it: `docs/decisions/0015-npm-package.md` justifies them. */
async function print({ file, size, unpackedSize, files }: Packed): Promise<void> {
  const manifest = await Deno.readTextFile(new URL("npm/package.json", root));
  const { dependencies, optionalDependencies } = JSON.parse(manifest);
  const list = (packages: object) => {
    const names = Object.keys(packages);
    return `${names.length} (${names.join(", ")})`;
  };
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1_000)} kB`;
  const path = relative(fileURLToPath(root), fileURLToPath(file));
  console.log(`${path}: ${kilobytes(size)}, ${files.length} files`);
  console.log(`Unpacked: ${kilobytes(unpackedSize)}`);
  console.log(`Dependencies: ${list(dependencies)}`);
  console.log(`Optional: ${list(optionalDependencies)}`);
  console.log(`Installed with theirs: ${await countInstalled(file)} packages`);
}

if (import.meta.main) {
  await buildNpm();
  await print(await packNpm());
}
