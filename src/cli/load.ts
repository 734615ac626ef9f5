/**
 * Loads modules with tasks. That runs their code: what to load comes from the command line and the environment, and never
 * from a docket.
 *
 * @module
 */

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { cwd, version } from "node:process";
import { pathToFileURL } from "node:url";
import type { AnyFunction, Tasks } from "../docket/registry.ts";
import { CommandError, UsageError } from "./errors.ts";

/**
 * What `file.ts`, `file.ts:export`, `package` or `package:export` gives as tasks; without an export, the whole module.
 *
 * @throws {UsageError} When there is no such file or export, or it exports no tasks.
 * @throws {CommandError} When the module cannot be loaded.
 */
export async function loadTasks(reference: string): Promise<Tasks> {
  const loaded = await load(reference);
  const tasks = loaded.value;
  if (isTasks(tasks)) return tasks;
  throw new UsageError(
    loaded.name === undefined
      ? `Cannot take tasks from ${
        quote(reference)
      }: it exports no functions; name an export that is a list, as in ` +
        `${reference}:tasks`
      : `Cannot take tasks from ${
        quote(reference)
      }: ${loaded.name} is no task, list or record of them`,
  );
}

/** The function that `file.ts:export` names. */
export async function loadFunction(reference: string): Promise<AnyFunction> {
  const { value, name } = await load(reference);
  if (typeof value === "function") return value as AnyFunction;
  throw new UsageError(
    name === undefined
      ? `Cannot use ${quote(reference)} as a function: name its export, as in ${reference}:run`
      : `Cannot use ${quote(reference)} as a function: ${name} is none`,
  );
}

async function load(reference: string): Promise<{ value: unknown; name?: string }> {
  const { module, name } = split(reference);
  const namespace = await importModule(module);
  if (name === undefined) return { value: namespace };
  if (!Object.hasOwn(namespace, name)) {
    const names = Object.keys(namespace).join(", ") || "nothing";
    throw new UsageError(`Cannot find ${name} in ${quote(module)}: it exports ${names}`);
  }
  return { value: namespace[name], name };
}

/** At the last colon, unless what is behind it is no name: `C:\tasks.ts`, `npm:tasks@1`. */
function split(reference: string): { readonly module: string; readonly name?: string } {
  const colon = reference.lastIndexOf(":");
  const name = reference.slice(colon + 1);
  const isScheme = /^(?:file|npm|jsr|https|node)$/.test(reference.slice(0, Math.max(0, colon)));
  if (colon <= 1 || isScheme || !/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)) {
    return { module: reference };
  }
  return { module: reference.slice(0, colon), name };
}

async function importModule(module: string): Promise<Record<string, unknown>> {
  const specifier = await specifierOf(module);
  try {
    return await import(specifier);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ERR_UNKNOWN_FILE_EXTENSION"
      ? `Node ${version} cannot load TypeScript: use Node 22.18 or later, Deno, or compile it`
      : message ?? String(error);
    throw new CommandError(`Cannot load ${quote(module)}: ${reason}`, { cause: error });
  }
}

/** A file relative to where one is, or else the name of a package. */
async function specifierOf(module: string): Promise<string> {
  if (/^(file|npm|jsr|https|node):/.test(module)) return module;
  const path = resolve(cwd(), module);
  const found = await stat(path).then((entry) => entry.isFile(), () => false);
  if (found) return pathToFileURL(path).href;
  if (/^[./\\]|^[A-Za-z]:[\\/]|\.[cm]?[jt]sx?$/.test(module)) {
    throw new UsageError(
      `Cannot find the file ${quote(module)}${
        /[ ,]/.test(module) ? "; repeat --tasks for several, or put commas in DOCKET_TASKS" : ""
      }`,
    );
  }
  return module;
}

function isTasks(value: unknown): value is Tasks {
  if (typeof value === "function") return true;
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some((one) => typeof one === "function");
}

function quote(text: string): string {
  return JSON.stringify(text);
}
