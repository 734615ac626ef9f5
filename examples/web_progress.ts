/**
 * A web server that puts a task on a docket for each POST, and streams how far it is as server-sent events. The server
 * here is its own client too: it posts, prints what arrives, and closes.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Docket, task, Worker } from "@docket/docket";

const importRows = task("importRows", async ({ progress }, rows: number): Promise<string> => {
  progress.update({ total: rows, message: "importing" });
  for (let row = 1; row <= rows; row++) {
    await new Promise((resolve) => setTimeout(resolve, 2)); // some work
    progress.increment();
  }
  return `${rows} rows`;
});

await using docket = await Docket.connect({ url: "memory://web-progress", tasks: [importRows] });

// ── The server. In a deployment it has no worker: those are other processes, on the same Redis. ───────────

/** `POST /imports?rows=n` starts an import, `GET /imports/<key>` follows it. */
const server = createServer(async ({ method, url = "/" }, response) => {
  const { pathname, searchParams } = new URL(url, "http://localhost");
  if (method === "POST" && pathname === "/imports") {
    const { key } = await docket.add(importRows)(Number(searchParams.get("rows")));
    response.writeHead(202, { location: `/imports/${key}` }).end();
    return;
  }
  const key = /^\/imports\/([\w-]+)$/.exec(pathname)?.[1];
  if (key) await follow(key, response);
  else response.writeHead(404).end();
});

async function follow(key: string, response: ServerResponse): Promise<void> {
  const execution = await docket.execution<typeof importRows>(key);
  if (!execution) return void response.writeHead(404).end();
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  const gone = new AbortController();
  response.on("close", () => gone.abort()); // nobody listens any more: the task goes on
  try {
    for await (const event of execution.events({ signal: gone.signal })) {
      response.write(`event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
    }
    response.write(`event: result\ndata: ${JSON.stringify(await execution.result())}\n\n`);
  } catch (error) {
    if (gone.signal.aborted) return;
    response.write(`event: error\ndata: ${JSON.stringify(String(error))}\n\n`);
  }
  response.end();
}

server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;

// ── The client. A browser has `new EventSource(location)` for the second half. ─────────────────────────────

interface Message {
  readonly event: string;
  // deno-lint-ignore no-explicit-any -- whatever the server sends
  readonly data: any;
}

async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop()!;
    for (const block of blocks) {
      const [event, data] = block.split("\n").map((line) => line.slice(line.indexOf(": ") + 2));
      yield { event, data: JSON.parse(data) };
    }
  }
}

const base = `http://127.0.0.1:${port}`;
const posted = await fetch(`${base}/imports?rows=200`, { method: "POST" });
await posted.body?.cancel();
equal(posted.status, 202);
const stream = await fetch(new URL(posted.headers.get("location")!, base));

const states: string[] = [];
let last: Message | undefined;
let furthest = 0;
let running: Promise<void> | undefined;
await using worker = new Worker(docket);

for await (const message of messages(stream.body!)) {
  last = message;
  const { event, data } = message;
  if (event === "state") states.push(data.state);
  if (event === "progress") furthest = data.current;
  if (event === "state") console.log(data.state);
  else if (event === "progress") console.log(`  ${data.current} of ${data.total}`);
  else console.log(`${event}: ${data}`);
  running ??= worker.runUntilFinished(); // only now, so that the whole story arrives
}

await running;
deepEqual(states, ["queued", "running", "completed"]);
deepEqual([last, furthest], [{ event: "result", data: "200 rows" }, 200]);

const unknown = await fetch(`${base}/imports/nobody`);
await unknown.body?.cancel();
equal(unknown.status, 404);

server.closeAllConnections();
server.close();
await once(server, "close");
console.log("closed");
