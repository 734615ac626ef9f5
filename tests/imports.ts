/**
 * Which imports the sources hold. Read by pattern, as the formatter lays code out; where that leaves a
 * doubt, an import is reported: better a false alarm than a silent hole.
 *
 * @module
 */
import { readdir, readFile } from "node:fs/promises";

/** Path → source, as they stand in the repository. */
export type Sources = ReadonlyMap<string, string>;

/** One import, and the file it stands in. */
export interface Import {
  readonly file: string;
  /** The path of a module of ours, or else the specifier of a package. */
  readonly target: string;
  readonly dynamic: boolean;
}

/** Every file of a folder of the repository. */
export async function readSources(folder = "src"): Promise<Sources> {
  const root = new URL(`../${folder}/`, import.meta.url);
  const files = (await readdir(root, { recursive: true })).filter((file) => file.endsWith(".ts"));
  const entries = files.sort().map(async (file) => {
    const path = `${folder}/${file.replaceAll("\\", "/")}`;
    return [path, await readFile(new URL(file, root), "utf8")] as const;
  });
  return new Map(await Promise.all(entries));
}

/** The imports that exist at run time, with `types` also the others. */
export function* importsOf(sources: Sources, { types = false } = {}): Generator<Import> {
  for (const [file, source] of sources) {
    const code = withoutComments(source);
    for (const { specifier, dynamic } of specifiers(code, types)) {
      yield { file, target: resolve(specifier, file), dynamic };
    }
  }
}

function* specifiers(code: string, types: boolean) {
  for (const [, clause = "", , specifier = ""] of code.matchAll(fromClause)) {
    if (types || !onlyTypes(clause)) yield { specifier, dynamic: false };
  }
  for (const [, , specifier = ""] of code.matchAll(bareImport)) {
    yield { specifier, dynamic: false };
  }
  for (const [, , specifier = ""] of code.matchAll(dynamicImport)) {
    yield { specifier, dynamic: true };
  }
}

// The formatter starts each statement on a line of its own.
const fromClause = /^(?:import|export)\s+([\w$*{},\s]+?)\s+from\s+(["'])(.+?)\2/gm;
const bareImport = /^import\s+(["'])(.+?)\1/gm;
const dynamicImport = /(?<!typeof )\bimport\(\s*(["'`])(.+?)\1/g;

/** `type Name`, or a list in which every name is a type. */
function onlyTypes(clause: string): boolean {
  if (/^type\s/.test(clause)) return true;
  const names = clause.match(/^\{([^}]*)\}$/)?.[1]?.split(",").map((name) => name.trim());
  return names?.every((name) => name === "" || name.startsWith("type ")) ?? false;
}

function resolve(specifier: string, file: string): string {
  if (specifier === "@docket/docket") return "mod.ts";
  return specifier.startsWith(".")
    ? new URL(specifier, `file:///${file}`).pathname.slice(1)
    : specifier;
}

/** Takes out what is surely a comment: one with lines of its own, or one that cannot end a string. */
export function withoutComments(source: string): string {
  return source
    .replace(/^\s*\/\*[\s\S]*?\*\//gm, "")
    .replace(/^\s*\/\/.*$/gm, "")
    .replace(/\s\/\/[^"'`$\n]*$/gm, "")
    .replace(/\s\/\*[^"'`$\n]*?\*\//g, "");
}
