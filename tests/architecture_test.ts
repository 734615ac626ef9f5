/**
 * Who may import whom. Imports that exist at run time only go down; `import type` may point anywhere.
 * The second half plants violations, so that a check that finds nothing is known to have looked.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import { importsOf, readSources, type Sources, withoutComments } from "./imports.ts";

const contract = ["base", "instrumentation", "storage/contract"];
const features = [...contract, "storage/open", "dependencies", "docket", "worker"];

/** Layer → what it may import besides itself. Only `storage/open` names an implementation. */
const layers: Readonly<Record<string, readonly string[]>> = {
  "base": [],
  "instrumentation": ["base"],
  "storage/contract": ["base", "instrumentation"],
  "storage/memory": contract,
  "storage/redis": contract,
  "storage/open": [...contract, "storage"],
  "dependencies": contract,
  "docket": [...contract, "storage/open", "dependencies"],
  "worker": [...contract, "storage/open", "dependencies", "docket"],
  "testing": [...features, "storage/memory", "mod"],
  "cli": [...features, "mod"],
};

/** Package → the only layer that knows it. */
const clients: Readonly<Record<string, string>> = {
  "ioredis": "storage/redis",
  "@opentelemetry/api": "instrumentation",
  "@opentelemetry/exporter-prometheus": "cli",
  "@opentelemetry/sdk-metrics": "cli",
};

/** Loaded when an option asks for them: a start without is not slower. */
const onDemand: readonly string[] = [
  "@opentelemetry/exporter-prometheus",
  "@opentelemetry/sdk-metrics",
];

test("imports only go down, and only storage/open loads another layer dynamically", async () => {
  deepEqual(upwardImports(await readSources()), []);
});

test("every file of src/ belongs to a known layer", async () => {
  const sources = await readSources();

  ok(sources.size > 0);
  deepEqual(strangers(sources), []);
});

test("only one layer knows each client", async () => {
  deepEqual(strayClients(await readSources()), []);
});

test("what only an option of the command line needs is not loaded before", async () => {
  const planted = new Map([
    ["src/cli/a.ts", `import { MeterProvider } from "@opentelemetry/sdk-metrics";`],
    ["src/cli/b.ts", `import type { MetricData } from "@opentelemetry/sdk-metrics";`],
    ["src/cli/c.ts", `const sdk = await import("@opentelemetry/sdk-metrics");`],
  ]);

  deepEqual(eagerImports(planted), ["src/cli/a.ts → @opentelemetry/sdk-metrics"]);
  deepEqual(eagerImports(await readSources()), []);
});

test("src/ names no global of Deno", async () => {
  deepEqual(denoGlobals(await readSources()), []);
});

test("upwardImports() reports each way of importing upwards", () => {
  const planted = new Map([
    ["src/base/a.ts", `import { Docket } from "../docket/docket.ts";`],
    ["src/base/b.ts", `import {\n  type Docket,\n  open,\n} from "../docket/docket.ts";`],
    ["src/base/c.ts", `import "../worker/worker.ts";`],
    ["src/base/d.ts", `export * from "../worker/worker.ts";`],
    ["src/base/e.ts", `export * as name from '../../mod.ts';`],
    ["src/base/f.ts", `import Name, { type Other } from "@docket/docket";`],
    ["src/storage/redis/g.ts", `import { Memory } from "../memory/memory.ts";`],
    ["src/docket/h.ts", `export { Memory } from "../storage/memory/memory.ts";`],
    ["src/worker/i.ts", `const late = await import("../base/clock.ts");`],
    ["src/worker/j.ts", "load(() => import(\n  `../docket/docket.ts`,\n));"],
  ]);

  deepEqual(upwardImports(planted), [
    "src/base/a.ts → src/docket/docket.ts",
    "src/base/b.ts → src/docket/docket.ts",
    "src/base/c.ts → src/worker/worker.ts",
    "src/base/d.ts → src/worker/worker.ts",
    "src/base/e.ts → mod.ts",
    "src/base/f.ts → mod.ts",
    "src/storage/redis/g.ts → src/storage/memory/memory.ts",
    "src/docket/h.ts → src/storage/memory/memory.ts",
    "src/worker/i.ts → src/base/clock.ts (dynamic)",
    "src/worker/j.ts → src/docket/docket.ts (dynamic)",
  ]);
});

test("upwardImports() lets pass what goes down, what is a type and what is a comment", () => {
  const innocent = new Map([
    ["src/base/a.ts", `import type { Docket } from "../docket/docket.ts";`],
    ["src/base/b.ts", `export type { Docket } from "../docket/docket.ts";`],
    ["src/base/c.ts", `import { type Docket, type Task as T } from "../docket/docket.ts";`],
    ["src/base/d.ts", `/**\n * await import("../docket/docket.ts")\n */\nimport "./a.ts";`],
    ["src/base/e.ts", `let docket: typeof import("../docket/docket.ts");`],
    ["src/base/f.ts", `// await import("../docket/docket.ts")\nrun(); // import as docket does`],
    ["src/storage/open.ts", `const { RedisStorage } = await import("./redis/redis.ts");`],
    ["src/worker/g.ts", `import { Docket } from "../docket/docket.ts";\nawait import("./h.ts");`],
    ["src/cli/main.ts", `import { Docket } from "../../mod.ts";\nawait import(name);`],
  ]);

  deepEqual(upwardImports(innocent), []);
});

test("strangers() reports a file outside the layers", () => {
  const planted = ["src/utils/text.ts", "src/storage/url.ts", "src/stray.ts", "src/base/clock.ts"];

  deepEqual(strangers(new Map(planted.map((file) => [file, ""]))), planted.slice(0, 3));
});

test("strayClients() reports a client outside its layer", () => {
  const planted = new Map([
    ["src/storage/redis/client.ts", `import { Redis } from "ioredis";`],
    ["src/storage/memory/memory.ts", `import { Redis } from "ioredis";`],
    ["src/worker/worker.ts", `const { Redis } = await import("ioredis/built/cluster");`],
    ["src/docket/docket.ts", `import { Redis } from "npm:ioredis@6";`],
    ["src/base/message.ts", `import type { Redis } from "ioredis";`],
  ]);

  deepEqual(strayClients(planted), [
    "src/storage/memory/memory.ts → ioredis",
    "src/worker/worker.ts → ioredis/built/cluster",
    "src/docket/docket.ts → npm:ioredis@6",
    "src/base/message.ts → ioredis",
  ]);
});

test("denoGlobals() reports the global and not its mention in a comment", () => {
  const planted = new Map([
    ["src/base/a.ts", `const name = Deno.env.get("NAME");`],
    ["src/base/b.ts", `const url = "redis://host"; globalThis.Deno?.exit(1);`],
    ["src/base/c.ts", "const glob = `/*`; const url = `//${Deno.hostname()}`; // `*/`"],
    ["src/base/d.ts", `run(/* now */); Deno.exit(/* at once */);`],
    [
      "src/base/e.ts",
      "/**\n * Not `Deno.cwd()`.\n */\n  // It's Deno.cwd()\nrun(); // as Deno.run",
    ],
    ["src/base/f.ts", `/** As Deno.cwd(). */\nconst runtimes = "Deno, Node"; /* Deno.cwd() */`],
  ]);

  const found = ["src/base/a.ts", "src/base/b.ts", "src/base/c.ts", "src/base/d.ts"];
  deepEqual(denoGlobals(planted), found);
});

test("tests compare strictly, in every runtime", async () => {
  const planted: Sources = new Map([
    ["tests/a.ts", `import { equal } from "node:assert/strict";`],
    ["tests/b.ts", `import { deepEqual, ok } from "node:assert/strict";`],
    ["tests/c.ts", `import { ok, strictEqual as equal } from "node:assert/strict";`],
  ]);

  deepEqual(looseComparisons(planted), ["tests/a.ts", "tests/b.ts"]);
  deepEqual(looseComparisons(await readSources("tests")), []);
  deepEqual(looseComparisons(await readSources("src")), []);
});

function upwardImports(sources: Sources): string[] {
  const wrong: string[] = [];
  for (const { file, target, dynamic } of importsOf(sources)) {
    if (!target.endsWith(".ts")) continue; // a package
    const from = layerOf(file);
    const to = layerOf(target);
    if (dynamic && from !== to && from !== "storage/open") {
      wrong.push(`${file} → ${target} (dynamic)`);
    } else if (!mayImport(from, to)) {
      wrong.push(`${file} → ${target}`);
    }
  }
  return wrong;
}

function strangers(sources: Sources): string[] {
  return [...sources.keys()].filter((file) => !(layerOf(file) in layers));
}

/** Type imports count here: with the client's types, a layer would know what lies below the contract. */
function strayClients(sources: Sources): string[] {
  const wrong: string[] = [];
  for (const { file, target } of importsOf(sources, { types: true })) {
    const name = target.replace(/^npm:/, "").match(/^(?:@[^/]+\/)?[^/@]+/)?.[0] ?? target;
    if (name in clients && clients[name] !== layerOf(file)) wrong.push(`${file} → ${target}`);
  }
  return wrong;
}

function eagerImports(sources: Sources): string[] {
  return [...importsOf(sources)]
    .filter(({ target, dynamic }) => onDemand.includes(target) && !dynamic)
    .map(({ file, target }) => `${file} → ${target}`);
}

function denoGlobals(sources: Sources): string[] {
  return [...sources]
    .filter(([, source]) => /\bDeno\s*(\.|\?\.|\[)/.test(withoutComments(source)))
    .map(([file]) => file);
}

function mayImport(from: string, to: string): boolean {
  return within(to, from) || (layers[from] ?? []).some((layer) => within(to, layer));
}

function within(layer: string, other: string): boolean {
  return layer === other || layer.startsWith(`${other}/`);
}

/** The longest layer that a path lies in, or else the path itself: no layer. */
function layerOf(file: string): string {
  const path = file.replace(/^src\//, "").replace(/\.ts$/, "");
  return Object.keys(layers)
    .filter((layer) => within(path, layer))
    .sort((a, b) => b.length - a.length)[0] ?? path;
}

/** Under these names some runtimes give comparisons that convert, from "node:assert/strict" too. */
function looseComparisons(sources: Sources): string[] {
  const loose = /(?<!as )\b(?:equal|deepEqual|notEqual|notDeepEqual)\b/;
  return [...sources]
    .filter(([, source]) =>
      [...withoutComments(source).matchAll(/^import \{([^}]*)\} from "node:assert/gm)]
        .some(([, names]) => loose.test(names))
    )
    .map(([file]) => file);
}
