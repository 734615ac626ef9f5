/**
 * A Redis Cluster: three masters, each with a replica or none.
 *
 * @module
 */

import { strictEqual as equal } from "node:assert/strict";
import { disposeAll, Node, until } from "./_servers.ts";

/** A node that has been silent for so long is taken for dead. */
export const NODE_TIMEOUT = 1_000;

const SLOTS = 16_384;
const MASTERS = 3;

/** Nodes that share the slots. Ends them all when it is disposed of. */
export class Sharded implements AsyncDisposable {
  readonly nodes: Node[] = [];

  /** Starts them, with `replicas` for each master, and waits until all agree. */
  static async start(replicas: number): Promise<Sharded> {
    const sharded = new Sharded();
    try {
      await sharded.#start(replicas);
      return sharded;
    } catch (error) {
      await sharded[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where a docket is to connect to: by default it is told of all nodes. */
  url(nodes: readonly Node[] = this.nodes): string {
    return `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`)}/`;
  }

  /** The slot of a docket. */
  slot(docket: string): Promise<number> {
    return this.#alive().admin.cluster("KEYSLOT", `{${docket}}:`);
  }

  /** The node that has a slot, as it says itself. */
  async owner(slot: number): Promise<Node> {
    return await until(`somebody has slot ${slot}`, async () => {
      for (const node of this.nodes) {
        const ranges = await node.admin.cluster("SLOTS").catch(() => []) as Range[];
        const range = ranges.find(([first, last]) => first <= slot && slot <= last);
        if (range?.[2][1] === node.port) return node;
      }
    });
  }

  /** The URL of the node that has a docket, for those who know nothing of clusters. */
  async ownerOf(docket: string): Promise<string> {
    return (await this.owner(await this.slot(docket))).server.url;
  }

  /** Moves a slot, key by key as `redis-cli` does; `halfway` is awaited when only some are on the other side. */
  async move(slot: number, from: Node, to: Node, halfway: () => Promise<void>): Promise<void> {
    const [source, target] = await Promise.all([from, to].map(idOf));
    await to.admin.call("CLUSTER", ["SETSLOT", slot, "IMPORTING", source]);
    await from.admin.call("CLUSTER", ["SETSLOT", slot, "MIGRATING", target]);
    for (let moved = 0;; moved++) {
      const keys = await from.admin.cluster("GETKEYSINSLOT", slot, 1) as string[];
      if (keys.length === 0) break;
      if (moved === 2) await halfway();
      const where = ["127.0.0.1", to.port, "", 0, 5_000];
      const answer = await from.admin.call("MIGRATE", [...where, "KEYS", ...keys]);
      equal(answer === "OK" || answer === "NOKEY", true, String(answer));
    }
    for (const node of [to, from]) {
      await node.admin.call("CLUSTER", ["SETSLOT", slot, "NODE", target]);
    }
  }

  /** How often any node answered so. */
  async answered(code: "MOVED" | "ASK"): Promise<number> {
    const counts = await Promise.all(this.nodes.map(async ({ admin }) => {
      const info = await admin.info("errorstats").catch(() => "");
      return Number(new RegExp(`errorstat_${code}:count=(\\d+)`).exec(info)?.[1] ?? 0);
    }));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll(this.nodes);
  }

  #alive(): Node {
    return this.nodes.find(({ admin }) => admin.status === "ready") ?? this.nodes[0];
  }

  async #start(replicas: number): Promise<void> {
    const args = [
      ...["--cluster-enabled", "yes", "--cluster-node-timeout", `${NODE_TIMEOUT}`],
      ...["--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"],
    ];
    const starting = Array.from({ length: MASTERS * (1 + replicas) }, () => Node.start(args));
    this.nodes.push(...await Promise.all(starting));
    const masters = this.nodes.slice(0, MASTERS);
    for (const [i, { admin }] of masters.entries()) {
      await admin.call("CLUSTER", ["SET-CONFIG-EPOCH", i + 1]);
      const [first, end] = [i, i + 1].map((n) => Math.ceil(n * SLOTS / MASTERS));
      const slots = Array.from({ length: end - first }, (_, n) => first + n);
      await admin.call("CLUSTER", ["ADDSLOTS", ...slots]);
    }
    const [{ admin }] = this.nodes;
    for (const { port } of this.nodes) await admin.call("CLUSTER", ["MEET", "127.0.0.1", port]);
    await this.#agree();
    const following = this.nodes.slice(MASTERS).map(async (node, i) => {
      await node.admin.call("CLUSTER", ["REPLICATE", await idOf(masters[i % MASTERS])]);
      await until("a replica follows", async () => {
        return /master_link_status:up/.test(await node.admin.info("replication"));
      });
    });
    await Promise.all(following);
    await this.#agree();
  }

  /** Waits until every node knows every other, who has which slot, and who follows whom. */
  async #agree(): Promise<void> {
    await until("the nodes agree", async () => {
      const states = await Promise.all(
        this.nodes.map(({ admin }) => admin.cluster("INFO") as Promise<string>),
      );
      const all = new RegExp(`cluster_known_nodes:${this.nodes.length}\\b`);
      return states.every((state) => all.test(state) && /cluster_state:ok/.test(state));
    });
  }
}

type Range = [first: number, last: number, ...nodes: [host: string, port: number, id: string][]];

async function idOf({ admin }: Node): Promise<string> {
  return await admin.cluster("MYID");
}
