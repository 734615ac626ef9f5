/**
 * Loads every entry point that the package names, and tells what it exports.
 *
 * @module
 */
import { createRequire } from "node:module";

const manifest = createRequire(import.meta.url)("@docket/docket/package.json");
for (const path of Object.keys(manifest.exports)) {
  if (path === "./package.json") continue;
  const names = Object.keys(await import(`${manifest.name}${path.slice(1)}`));
  console.log(`${path}: ${names.sort().join(" ")}`);
}
