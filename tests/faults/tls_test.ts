/**
 * F47: over `rediss://` the server must prove who it is; what it fails to prove is told, and the password with nothing.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  match,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConnectionError, Docket, Worker } from "../../mod.ts";
import { captureLogs } from "../_logs.ts";
import { complaintOf, run } from "../cli/_docket.ts";
import { Authority, type CertificateOptions } from "./_certificates.ts";
import { PASSWORD, startSecureRedis } from "./_tls.ts";

const logged = captureLogs("debug");

const authority = new Authority();
const trusting = { tls: { ca: authority.cert } } as const;
const LONG_AGO = [new Date("2020-01-01"), new Date("2021-01-01")] as const;

test("F47 a server whose authority is given is worked with, by name and by address", async () => {
  for (const host of ["localhost", "127.0.0.1"]) {
    await using server = await startSecureRedis(authority.issue({ host }));
    await using docket = await Docket.connect({ url: server.url(host), redis: trusting });
    docket.register({ double });
    const execution = await docket.add(double)(21);
    await using worker = new Worker(docket);
    await worker.runUntilFinished();

    equal(await execution.result(), 42);
    deepEqual(textsOf("warning"), []);
  }
});

for (
  const [what, issue, redis, reason] of [
    [
      "of an authority that nobody knows",
      {},
      {},
      /: the server's certificate is not valid now, or of an authority that is not known here; give .*redis\.tls\.ca/,
    ],
    [
      "of another host",
      { host: "elsewhere.example" },
      trusting,
      /elsewhere\.example: connect by a name that /,
    ],
    [
      "that has expired",
      { validity: LONG_AGO },
      trusting,
      /certificate has expired: the server needs a new one|: the server's certificate is not valid now, or /,
    ],
  ] as const satisfies readonly (readonly [string, Partial<CertificateOptions>, object, RegExp])[]
) {
  test(`F47 a certificate ${what} is refused, and no password shown`, async () => {
    await using server = await startSecureRedis(authority.issue({ host: "localhost", ...issue }));
    const url = server.url("localhost");

    await rejects(Docket.connect({ url, redis }), (error) => {
      ok(error instanceof ConnectionError);
      match(error.message, /^Cannot connect: rediss:\/\/\*\*\*@localhost:\d+\/0: /);
      match(error.message, reason);
      expectNoSecret(everythingOf(error));
      return true;
    });
    const { tls } = { tls: undefined, ...redis };
    await using docket = await Docket.connect({
      url,
      redis: { tls: { ...tls, rejectUnauthorized: false } },
    });
    equal((await docket.snapshot()).counts.queued, 0); // only that was wrong with it

    const warnings = textsOf("warning").filter((text) => text.startsWith("The certificate of "));
    equal(warnings.length, 1);
    match(warnings[0], /^The certificate of rediss:\/\/\*\*\*@localhost:\d+\/0 is not checked/);
    expectNoSecret(logged.map(everythingOf).join("\n"));
  });
}

test("F47 docket finds an authority in NODE_EXTRA_CA_CERTS, and refuses without", async () => {
  const directory = await mkdtemp(join(tmpdir(), "docket_ca_"));
  const path = join(directory, "ca.pem");
  await writeFile(path, authority.cert);
  try {
    await using server = await startSecureRedis(authority.issue({ host: "localhost" }));
    const DOCKET_URL = server.url("localhost");

    const [trusted, ...refused] = await Promise.all([
      run(["snapshot"], { env: { DOCKET_URL, NODE_EXTRA_CA_CERTS: path } }),
      run(["snapshot"], { env: { DOCKET_URL } }),
      run(["snapshot"], { env: { DOCKET_URL, NODE_TLS_REJECT_UNAUTHORIZED: "0" } }),
    ]);

    deepEqual([trusted.code, trusted.stderr], [0, ""]);
    for (const output of refused) {
      match(output.stderr, /NODE_EXTRA_CA_CERTS/);
      equal(output.code, 1);
      expectNoSecret(output.stdout + output.stderr);
    }
    match(complaintOf(refused[0]), /^Cannot connect: rediss:/);
  } finally {
    await rm(directory, { recursive: true });
  }
});

function double(n: number): number {
  return 2 * n;
}

function textsOf(level: string): readonly string[] {
  return logged.filter((record) => record.level === level).map(({ message }) => message.join(""));
}

/** Also what is not shown, such as causes and fields. */
function everythingOf(value: unknown): string {
  return Deno.inspect(value, { depth: 20, showHidden: true, getters: true });
}

function expectNoSecret(text: string): void {
  ok(!text.includes(PASSWORD), text);
}
