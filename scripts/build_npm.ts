/**
 * Builds the npm package from the same sources: JavaScript that Node 20 runs, with declarations.
 *
 * ```sh
 * deno run -A scripts/build_npm.ts
 * ```
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import config from "../deno.json" with { type: "json" };

const root = new URL("../", import.meta.url);
const compiler = "npm:typescript@7.0.2/tsc";
const entryPoints = Object.entries(config.exports);

/** Writes the package to this directory, which is emptied first. */
export async function buildNpm(outDir: URL = new URL("npm/", root)): Promise<void> {
  await Deno.remove(outDir, { recursive: true }).catch(ignoreMissing);
  await Deno.mkdir(outDir, { recursive: true });
  await compile(outDir);
  for (const [, source] of entryPoints) await declareLibraries(new URL(typesOf(source), outDir));
  for (const file of ["README.md", "CHANGELOG.md", "LICENSE"]) {
    await Deno.copyFile(new URL(file, root), new URL(file, outDir)).catch(ignoreMissing);
  }
  const manifest = JSON.stringify(await describe(outDir), null, 2);
  await Deno.writeTextFile(new URL("package.json", outDir), `${manifest}\n`);
}

/** `deno check` has checked the types; this only strips them and lowers what Node 20 lacks. */
async function compile(outDir: URL): Promise<void> {
  const options = [
    ["--outDir", fileURLToPath(outDir)],
    ["--rootDir", "."],
    ["--target", "es2022"], // lowers `await using`
    ["--lib", "es2023,esnext.disposable,dom"],
    ["--module", "esnext"],
    ["--moduleResolution", "bundler"],
    ["--rewriteRelativeImportExtensions"],
    ["--declaration"],
    ["--noCheck"],
    ["--skipLibCheck"],
  ];
  const sources = entryPoints.map(([, source]) => source);
  // Without the project's configuration, whose lock file would otherwise take the compiler in.
  const run = ["run", "-A", "--no-config", "--no-lock", compiler];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...run, ...options.flat(), ...sources],
    cwd: root,
  }).output();
  if (success) return;
  const text = new TextDecoder();
  throw new Error(`Cannot compile the package: ${text.decode(stdout)}${text.decode(stderr)}`);
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
  const dependencies = await dependenciesOf(outDir);
  return {
    name,
    version,
    license,
    type: "module",
    exports,
    engines: { node: ">=20" },
    dependencies,
  };
}

function typesOf(source: string): string {
  return source.replace(/\.ts$/, ".d.ts");
}

/** The packages that the compiled files import: what only tests import does not burden users. */
async function dependenciesOf(outDir: URL): Promise<Record<string, string>> {
  const compiled = (await readCompiled(outDir)).join("\n");
  const dependencies: Record<string, string> = {};
  for (const [alias, target] of Object.entries(config.imports)) {
    const [, name, range] = target.match(/^npm:(@?[^@]+)@([^/]+)/) ?? [];
    if (!name || !range) throw new Error(`Cannot read the import of ${alias}: "${target}"`);
    const imported = compiled.includes(`"${alias}"`) || compiled.includes(`"${alias}/`);
    if (imported) dependencies[name] = range;
  }
  return dependencies;
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

if (import.meta.main) await buildNpm();
