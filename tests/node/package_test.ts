/**
 * What the npm package is made of. `deno task test:node` installs and runs it.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { buildNpm, type Packed, packNpm } from "../../scripts/build_npm.ts";
import { importsOf, readSources, type Sources, withoutComments } from "../imports.ts";

/** Files without a source in TypeScript. */
const others = ["CHANGELOG.md", "LICENSE", "README.md", "bin/docket.js", "package.json"];

let directory: string;
let packed: Packed;
let shipped: Sources;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "docket_npm_"));
  const at = (path: string) => new URL(path, pathToFileURL(`${directory}/`));
  await buildNpm(at("npm/"));
  packed = await packNpm(at("npm/"), at("packed/"));
  const texts = packed.files.map(async (file) =>
    [file, await readFile(at(`npm/${file}`), "utf8")] as const
  );
  shipped = new Map(await Promise.all(texts));
});

after(() => rm(directory, { recursive: true }));

test("The npm package holds what the entry points import, and nothing else", async () => {
  const sources = [...(await readSources()).keys(), ...Object.values(config.exports)];

  const strange = strangers(packed.files, sources);

  deepEqual(strange, []);
  for (const file of others) ok(packed.files.includes(file), `${file} is missing`);
  for (const entry of Object.values(config.exports)) {
    const compiled = entry.slice(2).replace(/\.ts$/, ".js");
    ok(packed.files.includes(compiled), `${compiled} is missing`);
  }
});

test("The npm package uses nothing that Node 20 does not have", () => {
  const flaws = [...shipped].flatMap(([file, source]) =>
    file.endsWith(".js") ? flawsOf(source).map((flaw) => `${file}: ${flaw}`) : []
  );

  deepEqual(flaws, []);
});

test("The npm package depends on what it imports", () => {
  const { dependencies, optionalDependencies } = manifest();
  const compiled = new Map([...shipped].filter(([file]) => /\.(js|d\.ts)$/.test(file)));

  const packages = (which: (dynamic: boolean) => boolean) =>
    new Set(
      [...importsOf(compiled)]
        .filter(({ target, dynamic }) => which(dynamic) && !/^node:|\.(js|ts)$/.test(target))
        .map(({ target }) => target.split("/").slice(0, target.startsWith("@") ? 2 : 1).join("/")),
    );

  // Loaded when somebody listens, but its types are in the declarations.
  const always = packages((dynamic) => !dynamic).add("@opentelemetry/api");
  const later = packages((dynamic) => dynamic).difference(always);
  deepEqual(Object.keys(dependencies).sort(), [...always].sort());
  deepEqual(Object.keys(optionalDependencies).sort(), [...later].sort());
  deepEqual([...later].sort(), [
    "@opentelemetry/exporter-prometheus",
    "@opentelemetry/sdk-metrics",
  ]);
});

test("The npm package names its entry points, its command and its oldest Node", () => {
  const { name, version, exports, bin, engines, types } = manifest();

  deepEqual([name, version, types], [config.name, config.version, "./mod.d.ts"]);
  deepEqual(Object.keys(exports), [...Object.keys(config.exports), "./package.json"]);
  deepEqual(bin, { docket: "./bin/docket.js" });
  deepEqual(engines, { node: ">=20" });
  ok(shipped.get("bin/docket.js")?.startsWith("#!/usr/bin/env node\n"));
});

// What the tests above look with: would it see it?
test("A stray file, a global of Deno and await using do not go unseen", () => {
  deepEqual(
    strangers(["src/a.js", "src/a.d.ts", "src/a.ts", "tests/a_test.js", "b.js"], ["src/a.ts"]),
    ["src/a.ts", "tests/a_test.js", "b.js"],
  );
  equal(flawsOf("Deno.exit(1);").length, 1);
  equal(flawsOf("const a = globalThis.Deno?.pid;").length, 1);
  equal(flawsOf("await using docket = await open();").length, 1);
  equal(flawsOf("  using timer = start();").length, 1);
  equal(flawsOf("const { promise } = Promise.withResolvers();").length, 1);
  deepEqual(
    flawsOf("/**\n * await using docket = Deno.open();\n */\nrun(); // in Deno. Or not"),
    [],
  );
});

function manifest() {
  return JSON.parse(shipped.get("package.json")!);
}

/** Files that are neither compiled from one of these sources nor known by name. */
function strangers(files: readonly string[], sources: readonly string[]): string[] {
  const expected = sources.map((source) => source.replace(/^\.\//, "").replace(/\.ts$/, ""));
  const known = new Set([...others, ...expected.flatMap((stem) => [`${stem}.js`, `${stem}.d.ts`])]);
  return files.filter((file) => !known.has(file));
}

/** What some Node cannot read or does not have. */
function flawsOf(source: string): string[] {
  const code = withoutComments(source);
  const absent = [
    /\bDeno\s*(\.|\?\.|\[).*/g,
    /\bawait using\b.*/g,
    /^\s*using \w+ = .*/gm,
    /\bPromise\.(withResolvers|try)\b.*/g,
    /\bURL\.parse\b.*/g,
  ];
  return absent.flatMap((pattern) => code.match(pattern) ?? []);
}
