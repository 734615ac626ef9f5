/**
 * The part of the documentation that is made of what was measured: figures, and the tables of `docs/scale.md`.
 * `deno task figures` makes them anew from `docs/figures/scale.json`.
 *
 * @module
 */

import { figures } from "./figures.ts";
import type { Findings } from "./findings.ts";
import { subjects } from "./subjects.ts";
import { facts, tables } from "./tables.ts";

const docs = new URL("../../docs/", import.meta.url);
const source = new URL("figures/scale.json", docs);
const page = new URL("scale.md", docs);

const BEGIN = "<!-- begin: written by `deno task figures` -->";
const END = "<!-- end -->";

/** What was kept last. */
export async function load(): Promise<Findings> {
  return JSON.parse(await Deno.readTextFile(source));
}

/** Keeps what was found. */
export async function store(findings: Findings): Promise<void> {
  await Deno.mkdir(new URL("figures/", docs), { recursive: true });
  await Deno.writeTextFile(source, `${JSON.stringify(findings, shortened, 2)}\n`);
}

/** Five digits: the rest is noise. */
function shortened(_name: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(5)) : value;
}

/** Draws the figures, and writes the tables into the page. */
export async function publish(findings: Findings): Promise<void> {
  for (const [name, svg] of Object.entries(figures(findings))) {
    await Deno.writeTextFile(new URL(`figures/${name}.svg`, docs), svg);
  }
  await Deno.writeTextFile(page, withTables(await Deno.readTextFile(page), findings));
}

/** The page with these tables in the place of those that are there. */
export function withTables(page: string, findings: Findings): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error("Cannot place the tables: the page has no marks");
  const made = `${facts(findings)}.\n\n${tables(findings, subjects)}`;
  return `${page.slice(0, from + BEGIN.length)}\n\n${made}\n\n${page.slice(to)}`;
}

if (import.meta.main) await publish(await load());
