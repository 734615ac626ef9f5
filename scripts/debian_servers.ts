/**
 * Other servers than the one on PATH: Redis and Valkey as a later Debian has them, with the libraries that they need. They are
 * unpacked into a directory of their own, and nothing is installed.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** The release that they are of. */
const RELEASE = "trixie";

/** What `apt-get` checks signatures with: without it nothing is fetched. */
const KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Where libraries are, by what Node calls a processor. */
const PLACES: Readonly<Record<string, string>> = {
  x64: "x86_64-linux-gnu",
  arm64: "aarch64-linux-gnu",
};

/** What can be had; the packages' version is the last of the release. */
export type DebianServer = "redis" | "valkey";

/**
 * The path of a program that starts this server, fetched first when it was not yet; `undefined` where that cannot be done:
 * on other systems, and without a network.
 */
export async function debianServer(name: DebianServer): Promise<string | undefined> {
  const place = PLACES[process.arch];
  if (process.platform !== "linux" || !place || !existsSync(KEYS)) return undefined;
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "docket");
  const root = join(cache, RELEASE);
  if (!existsSync(root) && !await fetchInto(root, cache)) return undefined;
  const program = join(root, `${name}.sh`);
  await writeFile(program, await starter(root, place, `${name}-server`));
  await chmod(program, 0o755);
  return program;
}

/** A script that starts a program with the loader and the libraries beside it: those of this system may be older. */
async function starter(root: string, place: string, program: string): Promise<string> {
  const libraries = join(root, "usr/lib", place);
  const loader = (await readdir(libraries)).find((file) => /^ld-linux.*\.so\.\d+$/.test(file));
  const path = join(root, "usr/bin", program);
  return `#!/bin/sh
exec ${libraries}/${loader} --argv0 ${program} --library-path ${libraries} ${path} "$@"
`;
}

async function fetchInto(root: string, cache: string): Promise<boolean> {
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "fetching_"));
  try {
    for (const directory of ["lists/partial", "cache/archives/partial", "root"]) {
      await mkdir(join(work, directory), { recursive: true });
    }
    const source = `deb [signed-by=${KEYS}] http://deb.debian.org/debian ${RELEASE} main\n`;
    await writeFile(join(work, "sources.list"), source);
    const packages = ["redis-server", "valkey-server"];
    const fetched = await apt(work, "update") &&
      await apt(
        work,
        "install",
        "--yes",
        "--no-install-recommends",
        "--download-only",
        ...packages,
      );
    if (!fetched || !await unpack(join(work, "cache/archives"), join(work, "root"))) return false;
    await rename(join(work, "root"), root).catch(() => {}); // somebody else was faster
    return true;
  } finally {
    await rm(work, { recursive: true });
  }
}

/** With lists, a cache and a state of its own, which knows of no installed package. */
function apt(work: string, ...args: readonly string[]): Promise<boolean> {
  const settings = [
    `Dir::Etc::sourcelist=${work}/sources.list`,
    "Dir::Etc::sourceparts=/dev/null",
    `Dir::State::lists=${work}/lists`,
    "Dir::State::status=/dev/null",
    `Dir::Cache=${work}/cache`,
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
    "Acquire::Retries=2",
    "Acquire::http::Timeout=10",
    "Debug::NoLocking=true",
  ];
  return run("apt-get", ...settings.flatMap((setting) => ["-o", setting]), ...args);
}

async function unpack(archives: string, root: string): Promise<boolean> {
  for (const file of await readdir(archives)) {
    if (file.endsWith(".deb") && !await run("dpkg-deb", "-x", join(archives, file), root)) {
      return false;
    }
  }
  return true;
}

/** Whether a program could be started, and ended well. */
function run(program: string, ...args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: "ignore" });
    child.once("error", () => resolve(false));
    child.once("close", (code) => resolve(code === 0));
  });
}
