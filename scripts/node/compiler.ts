/**
 * From our TypeScript to JavaScript that Node 20 runs.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { expect } from "./command.ts";

/** Modules are named as they stand in the repository. */
export const root = new URL("../../", import.meta.url);

/** `typescript` itself, not a wrapper: it lowers `await using`, and is done in half a second. */
const compiler = "npm:typescript@7.0.2/tsc";

/**
 * Compiles these modules and all they import, each to its own file. `deno check` has checked the types: this only strips
 * them and lowers what Node 20 lacks.
 *
 * @throws {Error} with what the compiler says
 */
export async function compile(sources: readonly string[], outDir: URL): Promise<void> {
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
  // Without the project's configuration, whose lock file would otherwise take the compiler in.
  const tsc = ["run", "-A", "--no-config", "--no-lock", compiler];
  await expect(Deno.execPath(), [...tsc, ...options.flat(), ...sources], { cwd: root });
}
