/**
 * Where the Redis server program comes from: PATH, or else the Linux distribution's packages.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";

/** What to tell someone without a server. */
const remedy = "install redis-server or valkey-server, or set REDIS_URL";

/**
 * The name of a server program on PATH, installed first when there is none and apt can install one.
 *
 * @throws {Error} when there is none and none can be installed
 */
export async function redisBinary(): Promise<string> {
  return await find() ?? await install();
}

async function find(): Promise<string | undefined> {
  for (const binary of ["redis-server", "valkey-server"]) {
    if (await run(binary, "--version")) return binary;
  }
}

async function install(): Promise<string> {
  if (!await run("apt-get", "--version")) {
    throw new Error(`Cannot find a Redis server on PATH: ${remedy}`);
  }
  console.error("No Redis server on PATH: installing redis-server with apt-get");
  await aptGet("update"); // where it fails, an older index may still know the package
  const installed = await aptGet("install", "-y", "--no-install-recommends", "redis-server");
  const binary = await find();
  if (binary) return binary;
  const cause = new Error(installed?.output ?? "this user is not root, and there is no sudo");
  throw new Error(`Cannot install a Redis server with apt-get: ${remedy}`, { cause });
}

/** Runs apt-get as root, if this user may; `undefined` where not. */
export function aptGet(...args: string[]): Promise<Ran | undefined> {
  // Run level 1 keeps the package from starting a service; the timeout waits for another apt-get.
  const environment = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"];
  const command = [...environment, "apt-get", "-o", "DPkg::Lock::Timeout=120", ...args];
  return process.getuid?.() === 0 ? run("env", ...command) : run("sudo", "-n", "env", ...command);
}

/** What a program said. */
export interface Ran {
  readonly output: string;
}

/** Runs a program to its end, however it ends; `undefined` when there is none of that name. */
export function run(program: string, ...args: string[]): Promise<Ran | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => output += text);
    }
    child.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") resolve(undefined);
      else reject(error);
    });
    child.once("close", () => resolve({ output }));
  });
}
