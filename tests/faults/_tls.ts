/**
 * A Redis that speaks TLS.
 *
 * @module
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, startRedis } from "../../scripts/redis.ts";
import type { Certificate } from "./_certificates.ts";

/** What clients log in with: no output may show it. */
export const PASSWORD = "canary";

/** A server that is disposed with its files. */
export interface SecureRedis extends AsyncDisposable {
  /** Under a name or address of this machine. */
  url(host: string): string;
}

/** Starts one that shows this certificate. */
export async function startSecureRedis({ cert, key }: Certificate): Promise<SecureRedis> {
  const directory = await mkdtemp(join(tmpdir(), "docket_tls_"));
  const files = { "tls-cert-file": cert, "tls-key-file": key };
  const args = ["--requirepass", PASSWORD, "--tls-auth-clients", "no", "--appendonly", "yes"];
  for (const [option, text] of Object.entries(files)) {
    const path = join(directory, option);
    await writeFile(path, text, { mode: 0o600 });
    args.push(`--${option}`, path);
  }
  const port = await freePort();
  const dispose = () => rm(directory, { recursive: true, force: true });
  try {
    const server = await startRedis({ args: [...args, "--tls-port", `${port}`, "--port", "0"] });
    return {
      url: (host) => `rediss://:${PASSWORD}@${host}:${port}/0`,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await dispose();
      },
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}
