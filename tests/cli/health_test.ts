/**
 * `docket worker --health-port`: whether the worker is there, and whether it takes work (F50).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { Proxy } from "../faults/_proxy.ts";
import { cliTest, type Live } from "./_docket.ts";

/** How long it may take until a storage that has gone silent is noticed, and until one that is back is. */
const NOTICED = 10_000;
const BACK = 5_000;

cliTest("docket worker --health-port tells that it is alive and ready", async (scene) => {
  const child = scene.live("worker", "--health-port", "0");
  const url = await servedBy(child);
  await eventually(async () => await statusOf(`${url}/readyz`) === 200);

  for (const path of ["/livez", "/readyz"]) {
    const response = await fetch(`${url}${path}`);
    deepEqual([response.status, await response.text()], [200, "ok\n"], path);
  }
  equal(await statusOf(`${url}/metrics`), 404);
});

cliTest("docket worker is alive and not ready while it drains", async (scene) => {
  const docket = await scene.connect();
  const long = await docket.add("sleep", { key: "long" })(60);
  const child = scene.live("worker", "--health-port", "0", "--grace-period", "3s");
  const url = await servedBy(child);
  await eventually(async () => (await long.refresh()).state === "running");
  equal(await statusOf(`${url}/readyz`), 200);

  child.kill("SIGTERM");

  await eventually(async () => await statusOf(`${url}/readyz`) === 503);
  const response = await fetch(`${url}/readyz`);
  deepEqual([response.status, await response.text()], [503, "draining\n"]);
  equal(await statusOf(`${url}/livez`), 200);
  equal(await child.ends(), 0);
  await docket.cancel("long");
});

cliTest(
  "docket worker stays alive and is not ready while Redis swallows everything",
  async (scene) => {
    const real = new URL(scene.stage.url);
    await using proxy = await Proxy.to(Number(real.port));
    const through = Object.assign(new URL(real), { hostname: "127.0.0.1", port: `${proxy.port}` });
    through.password = "canary";
    const child = scene.liveWith({ DOCKET_URL: `${through}` }, "worker", "--health-port", "0");
    const url = await servedBy(child);
    await eventually(async () => await statusOf(`${url}/readyz`) === 200);

    for (const outage of [0, 6_000]) { // one that connections outlive, and one in which they are made anew
      proxy.fallSilent();
      const silent = performance.now();
      await eventually(async () => await statusOf(`${url}/readyz`) === 503);
      ok(performance.now() - silent < NOTICED, "it took too long to notice");
      const response = await fetch(`${url}/readyz`);
      deepEqual([response.status, await response.text()], [503, "no answer\n"]);
      await pause(outage);
      equal(await statusOf(`${url}/livez`), 200);

      proxy.recover();
      const back = performance.now();
      await eventually(async () => await statusOf(`${url}/readyz`) === 200);
      const took = performance.now() - back;
      ok(took < BACK, `it took ${took} ms to be back`);
    }

    child.kill("SIGTERM");
    equal(await child.ends(), 0);
    ok(!child.output.includes("canary"), child.output);
  },
);

cliTest("Worker.health() finds a dead connection before its deadline does", async (scene) => {
  await using proxy = await Proxy.to(Number(new URL(scene.stage.url).port));
  const docket = await scene.stage.connect({
    url: `redis://127.0.0.1:${proxy.port}`,
    commandTimeout: "10m",
    connectTimeout: "10m",
  });
  const worker = scene.stage.start(docket);
  await eventually(async () => (await worker.health()).ready);

  for (const cut of [false, true]) { // one that was there, and one that is being made
    proxy.fallSilent();
    if (cut) proxy.cut();
    deepEqual(await worker.health(), { live: true, ready: false, reason: "no answer" });

    proxy.recover();
    const back = performance.now();
    await eventually(async () => (await worker.health()).ready);
    const took = performance.now() - back;
    ok(took < BACK, `it took ${took} ms to be back`);
  }
  await worker.close(); // while it can sign off
});

cliTest("docket worker serves health and metrics from one port", async (scene) => {
  const child = scene.live("worker", "--health-port", "0", "--metrics-port", "0");
  const url = await servedBy(child);

  for (const path of ["/livez", "/readyz", "/metrics"]) {
    await eventually(async () => await statusOf(`${url}${path}`) === 200);
  }
});

/** Where it serves. */
async function servedBy(child: Live): Promise<string> {
  const served = /Serving \S.* on (http:\S+)\n/;
  await child.says(served);
  return served.exec(child.output)![1];
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.status;
}

async function eventually(claim: () => Promise<boolean>): Promise<void> {
  while (!await claim()) await pause(20);
}
