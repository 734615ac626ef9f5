/**
 * `docket worker --metrics-port`: what Prometheus gets, and what nobody gets.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startRedis } from "../../scripts/redis.ts";
import { metricsPage } from "../../src/cli/metrics.ts";
import { BOUNDS, COUNTERS, HISTOGRAMS } from "../../src/instrumentation/instruments.ts";
import { meters } from "../../src/instrumentation/meters.ts";
import { cliTest, complaintOf, type Live } from "./_docket.ts";
import { type Family, parsePrometheus } from "./_prometheus.ts";

const TASKS = `
import { Retry, task } from "@docket/docket";
export const good = task("good", {}, () => {});
export const bad = task("bad", { retry: new Retry({ attempts: 2 }) }, () => {
  throw new Error("It is meant to");
});
`;

cliTest("docket worker --metrics-port shows what was done, in numbers", async (scene) => {
  const docket = await scene.connect();
  const executions = [];
  for (let n = 0; n < 3; n++) executions.push(await docket.add("good")());
  for (let n = 0; n < 2; n++) executions.push(await docket.add("bad")());
  const tasks = await scene.file("tasks.ts", TASKS);
  const child = scene.live("worker", "--tasks", tasks, "--metrics-port", "0", "--name", "me");
  const url = await servedBy(child);
  for (const execution of executions) await execution.result().catch(() => {});
  const labels = (task: string) => ({ docket: scene.name, worker: "me", task });
  await eventually(async () =>
    valueOf(await scrape(url), "docket_tasks_completed_total", labels("bad")) === 2
  );

  const families = await scrape(url);

  const numbers = (task: string) =>
    Object.fromEntries(
      ["started", "completed", "succeeded", "failed", "retried", "redelivered"].map((what) => [
        what,
        valueOf(families, `docket_tasks_${what}_total`, labels(task)),
      ]),
    );
  deepEqual(numbers("good"), {
    started: 3,
    completed: 3,
    succeeded: 3,
    failed: 0,
    retried: 0,
    redelivered: 0,
  });
  deepEqual(numbers("bad"), {
    started: 4,
    completed: 2,
    succeeded: 0,
    failed: 4,
    retried: 2,
    redelivered: 0,
  });
  for (const name of Object.keys(HISTOGRAMS)) {
    equal(valueOf(families, `${name}_count`, labels("good")), 3, name);
  }
  equal(valueOf(families, "docket_tasks_running", labels("good")), 0);
  for (const { name, samples } of families.values()) {
    for (const { labels } of samples) {
      equal(labels.docket, scene.name, name);
      deepEqual(Object.keys(labels).filter((one) => !KNOWN.has(one)), [], name);
    }
  }
});

cliTest("docket worker shows what runs, what waits and what is struck", async (scene) => {
  const docket = await scene.connect();
  await docket.strike({ task: "nothing" });
  const long = await docket.add("sleep", { key: "long" })(3_600);
  const child = scene.live("worker", "--metrics-port=0", "--concurrency=1", "--name", "me");
  const url = await servedBy(child);
  await eventually(async () => (await long.refresh()).state === "running");
  for (let n = 0; n < 2; n++) await docket.add("trace")("later");
  for (let n = 0; n < 3; n++) await docket.add("trace", { delay: "1h" })("much later");
  const here = { docket: scene.name };
  const levels = async () => {
    const families = await scrape(url);
    return (name: string, labels: Readonly<Record<string, string>> = {}) =>
      valueOf(families, name, { ...here, ...labels });
  };

  await eventually(async () => (await levels())("docket_schedule_depth") === 3);

  const level = await levels();
  equal(level("docket_queue_depth"), 2);
  equal(level("docket_tasks_waiting"), 0);
  equal(level("docket_strikes_in_effect"), 1);
  equal(level("docket_tasks_running", { worker: "me", task: "sleep" }), 1);
  ok(level("docket_oldest_due_age")! > 0);
  ok(level("docket_event_loop_lag", { worker: "me" })! >= 0);
  await docket.restore({ task: "nothing" });
  await docket.clear();
  await docket.cancel("long");
});

cliTest("docket worker shows counters of the tasks it knows before they rise", async (scene) => {
  const tasks = await scene.file("tasks.ts", TASKS);
  const child = scene.live("worker", "--tasks", tasks, "--metrics-port", "0", "--name", "me");
  const url = await servedBy(child);
  await child.says("Working on ");
  await eventually(async () => (await scrape(url)).has("docket_tasks_failed_total"));

  const families = await scrape(url);

  for (const task of ["good", "bad", "trace"]) {
    const labels = { docket: scene.name, worker: "me", task };
    for (const what of ["started", "completed", "failed", "retried", "redelivered", "dead"]) {
      equal(valueOf(families, `docket_tasks_${what}_total`, labels), 0, `${task} ${what}`);
    }
  }
});

cliTest("docket worker shows no more numbers for more keys", async (scene) => {
  const docket = await scene.connect();
  const tasks = await scene.file("tasks.ts", TASKS);
  const child = scene.live("worker", "--tasks", tasks, "--metrics-port", "0", "--concurrency=200");
  const url = await servedBy(child);
  const done = async (count: number) => {
    await eventually(async () => {
      const { samples = [] } = (await scrape(url)).get("docket_tasks_completed_total") ?? {};
      return samples.reduce((sum, { value }) => sum + value, 0) === count;
    });
    return samplesOf(await scrape(url));
  };
  await docket.add("good", { key: "key-first", ttl: 0 })();
  const few = await done(1);

  for (let n = 0; n < 10; n++) {
    await Promise.all(
      Array.from(
        { length: 1_000 },
        (_, i) => docket.add("good", { key: `key-${n}-${i}`, ttl: 0 })(i),
      ),
    );
  }
  const many = await done(10_001);

  deepEqual(many, few);
  ok(!(await (await fetch(`${url}/metrics`)).text()).includes("key-"));
});

// F49: and so are the next four
cliTest("docket worker serves metrics to GET and HEAD, and nothing else", async (scene) => {
  const child = scene.live("worker", "--metrics-port", "0");
  const url = await servedBy(child);
  const ask = async (path: string, init?: RequestInit) => {
    const response = await fetch(`${url}${path}`, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };

  const got = await ask("/metrics");
  equal(got.status, 200);
  equal(got.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const head = await ask("/metrics", { method: "HEAD" });
  deepEqual([head.status, head.text], [200, ""]);
  equal((await ask("/metrics?name[]=up")).status, 200);

  for (const path of ["/", "/metrics/", "/metrics/x", "/livez", "/readyz", "/__proto__"]) {
    equal((await ask(path)).status, 404, path);
  }
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
    const { status, headers } = await ask("/metrics", { method });
    deepEqual([status, headers.get("allow")], [405, "GET, HEAD"], method);
  }
  equal((await ask("/metrics", { method: "POST", body: "x".repeat(1_000_000) })).status, 405);
  for (const { headers } of [got, head, await ask("/nope"), await ask("/", { method: "POST" })]) {
    for (const name of ["access-control-allow-origin", "server", "x-powered-by"]) {
      equal(headers.get(name), null);
    }
  }
});

cliTest(
  "docket worker gives no time to who takes it, and no answer under another name",
  async (scene) => {
    const child = scene.live("worker", "--metrics-port", "0");
    const port = Number(new URL(await servedBy(child)).port);
    const get = "GET /metrics HTTP/1.1\r\n";

    match(
      await say(port, `${get}Host: localhost\r\nConnection: close\r\n\r\n`),
      /^HTTP\/1\.1 200 /,
    );
    match(await say(port, `${get}Host: evil.example:${port}\r\n\r\n`), /^HTTP\/1\.1 403 /);
    match(
      await say(port, `${get}Host: localhost\r\nContent-Length: 9\r\n\r\n`),
      /^HTTP\/1\.1 413 /,
    );
    ok(
      !(await say(port, `${get}Host: localhost\r\nA: ${"a".repeat(20_000)}\r\n\r\n`)).includes(
        "200",
      ),
    );
    // Never ends; that this returns at all is the limit at work.
    for (const begun of [`${get}Host: localhost\r\n`, ""]) {
      match(await say(port, begun), /^(HTTP\/1\.1 408 .*)?$/s);
    }
  },
);

cliTest("docket worker ends at once, whoever holds a connection", async (scene) => {
  const child = scene.live("worker", "--metrics-port", "0");
  const port = Number(new URL(await servedBy(child)).port);
  const get = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n";
  const held = [];
  for (const text of ["", get, `${get}\r\n`]) { // silent, slow to ask, kept for the next question
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    held.push(connection);
    await connection.write(new TextEncoder().encode(text));
  }
  await held[2].read(new Uint8Array(1));

  const told = performance.now();
  child.kill("SIGTERM");

  equal(await child.ends(), 0);
  const took = performance.now() - told;
  for (const connection of held) connection.close();
  ok(took < 3_000, `it took ${took} ms`); // those that ask slowly have 5 seconds
});

cliTest(
  "docket worker serves metrics to this machine only, unless it is told otherwise",
  async (scene) => {
    const other = Object.values(networkInterfaces()).flat()
      .find((one) => one?.family === "IPv4" && !one.internal)?.address;
    const reaches = async (hostname: string, port: string) => {
      try {
        (await Deno.connect({ hostname, port: Number(port) })).close();
        return true;
      } catch {
        return false;
      }
    };
    const { hostname, port } = new URL(await servedBy(scene.live("worker", "--metrics-port", "0")));

    equal(hostname, "127.0.0.1");
    equal(await reaches("127.0.0.1", port), true);
    equal(await reaches("127.0.0.2", port), false);
    if (other) equal(await reaches(other, port), false, other);

    const wide = scene.live("worker", "--metrics-port", "0", "--metrics-host", "0.0.0.0");
    const { port: open } = new URL(await servedBy(wide));
    equal(await reaches("127.0.0.2", open), true);
    if (other) equal((await fetch(`http://${other}:${open}/metrics`).then(spend)).status, 200);
  },
);

cliTest("docket worker that cannot have its port says so, and claims nothing", async (scene) => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const docket = await scene.connect();
  const execution = await docket.add("trace")("never");
  const { port } = taken.addr;

  for (const what of ["metrics", "health"]) {
    const output = await scene.run(
      ...["worker", `--${what}-port`, `${port}`, "--until-finished", "--logging-level", "error"],
    );
    const paths = what === "metrics" ? "/metrics" : "/livez and /readyz";
    equal(
      complaintOf(output),
      `Cannot serve ${paths} on 127.0.0.1:${port}: the port is in use`,
    );
  }

  equal((await execution.refresh()).state, "queued");
  await execution.cancel();
});

// F48
cliTest("docket worker shows its password on no page", async (scene) => {
  await using server = await startRedis({ args: ["--requirepass", "canary"] });
  const child = scene.liveWith(
    { DOCKET_URL: `redis://:canary@127.0.0.1:${server.port}` },
    ...["worker", "--metrics-port", "0", "--health-port", "0"],
  );
  const url = await servedBy(child);
  const look = async (paths: readonly string[]) => {
    for (const path of paths) {
      for (const method of ["GET", "POST"]) {
        const response = await fetch(`${url}${path}`, { method });
        const all = JSON.stringify([...response.headers]) + await response.text();
        ok(!all.includes("canary"), all);
      }
    }
  };

  await look(["/metrics", "/livez", "/readyz", "/", "/nope"]);
  Deno.kill(server.pid, "SIGKILL");
  await look(["/metrics", "/livez", "/readyz"]);
  child.kill("SIGTERM");
  equal(await child.ends(), 0);
});

test("metricsPage() gives what Prometheus takes, before anything was counted and after", async () => {
  const page = await metricsPage();
  const read = () => parsePrometheus(page().text);
  deepEqual([...read()], []);
  const labels = { docket: "odd", worker: 'a "b" \\', task: "two\nlines" };

  for (const counter of Object.keys(COUNTERS) as (keyof typeof COUNTERS)[]) {
    meters.count(counter, labels);
  }
  meters.set("docket_queue_depth", 7, { docket: "odd" });
  meters.set("docket_oldest_due_age", 1.5, { docket: "odd" });
  const tally = meters.tallies.of(labels);
  for (const value of [...BOUNDS, 5_000]) meters.record("docket_task_duration", value, tally);

  const families = read();
  for (const [name, description] of Object.entries(COUNTERS)) {
    const family = families.get(`${name}_total`);
    deepEqual([family?.type, family?.help], ["counter", description]);
    equal(valueOf(families, `${name}_total`, labels), 1, name);
  }
  equal(families.get("docket_queue_depth")?.type, "gauge");
  equal(valueOf(families, "docket_queue_depth", { docket: "odd" }), 7);
  equal(valueOf(families, "docket_oldest_due_age", { docket: "odd" }), 1.5);
  BOUNDS.forEach((bound, i) => {
    const le = { ...labels, le: `${bound}` };
    equal(valueOf(families, "docket_task_duration_bucket", le), i + 1, le.le);
  });
  equal(valueOf(families, "docket_task_duration_count", labels), BOUNDS.length + 1);

  meters.set("docket_queue_depth", undefined, { docket: "odd" });
  equal(read().get("docket_queue_depth"), undefined);
});

test("metricsPage() shows so many tasks and no more, whatever they are called", async () => {
  const page = await metricsPage();
  const count = (from: number, to: number) => {
    for (let n = from; n < to; n++) {
      meters.count("docket_tasks_started", { docket: "many", worker: "w", task: `task-${n}` });
    }
    const { samples } = parsePrometheus(page().text).get("docket_tasks_started_total")!;
    return samples.filter(({ labels }) => labels.docket === "many");
  };

  const some = count(0, 2_000);
  const more = count(2_000, 10_000);

  equal(some.length, 1_001);
  equal(more.length, some.length);
  equal(more.reduce((sum, { value }) => sum + value, 0), 10_000);
});

const KNOWN: ReadonlySet<string> = new Set(["docket", "worker", "task", "le"]);

async function scrape(url: string): Promise<ReadonlyMap<string, Family>> {
  const response = await fetch(`${url}/metrics`);
  return parsePrometheus(await response.text());
}

/** The value of one sample, of these very labels. */
function valueOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>>,
): number | undefined {
  const wanted = JSON.stringify(Object.entries(labels).sort());
  return [...families.values()].flatMap(({ samples }) => samples)
    .find((sample) =>
      sample.name === name && JSON.stringify(Object.entries(sample.labels).sort()) === wanted
    )?.value;
}

/** What there are samples of, without their values. */
function samplesOf(families: ReadonlyMap<string, Family>): readonly string[] {
  return [...families.values()].flatMap(({ samples }) =>
    samples.map(({ name, labels }) => JSON.stringify([name, labels]))
  ).sort();
}

/** Sends so much and no more, and reads until the other side has had enough. */
async function say(port: number, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(65_536);
  let said = "";
  try {
    for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
      said += new TextDecoder().decode(buffer.subarray(0, n));
    }
  } catch {
    // It was cut off.
  }
  return said;
}

async function spend(response: Response): Promise<Response> {
  await response.body?.cancel();
  return response;
}

/** Where it serves. */
async function servedBy(child: Live): Promise<string> {
  const served = /Serving \S.* on (http:\S+)\n/;
  await child.says(served);
  return served.exec(child.output)![1];
}

async function eventually(claim: () => Promise<boolean>): Promise<void> {
  while (!await claim()) await pause(20);
}
