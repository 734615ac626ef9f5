/**
 * The bugs that the model test must catch, planted one at a time by `scripts/plant.ts`. Each breaks a line that keeps a
 * promise of the storage contract, on each storage where there is such a line.
 *
 * @module
 */

import { type Bug, patch } from "./plant.ts";

const memory = patch("src/storage/memory/memory.ts");
const ending = patch("src/storage/memory/ending.ts");
const cancel = patch("src/storage/redis/scripts/cancel.ts");
const claim = patch("src/storage/redis/scripts/_claim.ts");
const promote = patch("src/storage/redis/scripts/promote.ts");
const reclaim = patch("src/storage/redis/scripts/reclaim.ts");
const renew = patch("src/storage/redis/scripts/renew.ts");
const schedule = patch("src/storage/redis/scripts/schedule.ts");
const step = patch("src/storage/redis/scripts/step.ts");
const outcome = patch("src/storage/redis/outcome.ts");

export const bugs: readonly Bug[] = [
  {
    name: "no token check in settle",
    memory: memory(
      "if (task?.run?.token !== token) return false;",
      "if (!task?.run) return false;",
    ),
    redis: step("row and sub(row, 25, 46) == tokens[i] and", "row and"),
  },
  {
    name: "no owner check in claim: a live claim is taken over",
    memory: memory(
      "if (!task?.run || task.run.renewedAt > expired) break;",
      "if (!task?.run) break;",
    ),
    redis: claim("elseif status == 82 and not expired then", "elseif false then"),
  },
  {
    name: "no lease check in reclaim",
    redis: reclaim("consumer, lease, cursor, 'COUNT'", "consumer, 0, cursor, 'COUNT'"),
  },
  {
    name: "replace not deferred while running",
    memory: memory("if (task?.run) {\n      // Deferred", "if (false) {\n      // Deferred"),
    redis: schedule("elseif row and byte(row, 1) == 82 then", "elseif false then"),
  },
  {
    name: "settle without ack",
    memory: memory("task.run.consumer.held.delete(task);", ""),
    redis: step("acknowledge(settled, remove)", ""),
  },
  {
    name: "request id ignored: live row",
    memory: memory(
      'if (task?.generation === generation) return { kind: "scheduled" };',
      "",
    ),
    redis: schedule(
      "if recorded[i] or row and sub(row, 3, 24) == generation or",
      "if recorded[i] or",
    ),
  },
  {
    name: "request id ignored: deferred replacement",
    memory: memory(
      'if (task?.deferred?.generation === generation) return { kind: "deferred" };',
      "",
    ),
    redis: schedule("if previous ~= generation then", "if true then"),
  },
  {
    name: "request id ignored: record",
    memory: memory("this.#records.has(key, generation, now) ?", "false ?"),
    redis: schedule("recorded[i] = texts[n] and", "recorded[i] = false and"),
  },
  {
    name: "request id ignored: an earlier call of the same request",
    memory: memory("return i < later ?", "return false ?"),
    redis: schedule("local before = i < (applied[key] or 0)", "local before = false"),
  },
  {
    name: "a key twice in one schedule: the second overlooks the first",
    redis: schedule("if seen[key] then flush()", "if false then flush()"),
  },
  {
    name: "last call of a lane ignored when it is sent again",
    memory: memory("if (last && step.call <= last.call) return repeat(step, last);", ""),
    redis: step("if number == last then", "if false then"),
  },
  {
    name: "last reclaim ignored when it is sent again",
    memory: memory("last?.token === reclaim.token && last.from === reclaim.cursor", "false"),
    redis: reclaim("if remembered[1] and sub(", "if false and sub("),
  },
  {
    name: "cancel flag ignored at claim",
    memory: memory("if (task.cancelled) { // never", "if (false) { // never"),
    redis: claim("local cancelled = flags == '1' or flags == '3'", "local cancelled = false"),
  },
  {
    name: "cancel flag ignored at settle",
    memory: ending(
      "if (!cancelled && !deferred) return undefined;",
      "if (!deferred) return undefined;",
    ),
    redis: step("local cancelled = (flags == 1 or flags == 3)", "local cancelled = false"),
  },
  {
    name: "cancel flag ignored at renewal",
    memory: memory('return task.cancelled ? "cancel" : "kept";', 'return "kept";'),
    redis: renew("letters[i] = (flags == '1' or flags == '3') and 'c' or 'o'", "letters[i] = 'o'"),
  },
  {
    name: "cancel keeps the replacement",
    memory: memory('if (generation === undefined) this.#drop(task, "cancelled", now, ttl);', ""),
    redis: cancel("if waiting and (wanted == '' or", "if waiting and (false or"),
  },
  {
    name: "cancel of one generation ignores the generation",
    memory: memory(
      "if (generation !== undefined && generation !== task.generation) {",
      "if (false) {",
    ),
    redis: cancel(
      "local live = row and (wanted == '' or wanted == generation)",
      "local live = row",
    ),
  },
  {
    name: "promote drops a field: the attempt",
    memory: memory(
      "this.#enqueue(task); // the very same",
      "task.attempt = 1; this.#enqueue(task); //",
    ),
    redis: promote(".. sub(row, 25)", ".. '|1' .. string.match(row, '^|%d+(.*)$', 25)"),
  },
  {
    name: "renewal steals",
    memory: memory(
      'if (task?.run?.token !== token || task.run.consumer.name !== consumer) return "lost";',
      'if (task?.run?.token !== token) return "lost";',
    ),
    redis: renew(
      "sub(row, 25, 46) == tokens[i] and sub(row, -#me) == me then",
      "sub(row, 25, 46) == tokens[i] then",
    ),
  },
  {
    name: "renewal by an old token",
    memory: memory(
      'if (task?.run?.token !== token || task.run.consumer.name !== consumer) return "lost";',
      'if (task?.run?.consumer.name !== consumer) return "lost";',
    ),
    redis: renew(
      "sub(row, 25, 46) == tokens[i] and sub(row, -#me) == me then",
      "sub(row, -#me) == me then",
    ),
  },
  {
    name: "deliveries not counted",
    memory: memory("task.deliveries++; // before", "// before"),
    redis: claim("deliveries = (deliveries or 0) + 1", "deliveries = deliveries + 0"),
  },
  {
    name: "no maximum of deliveries",
    memory: memory("if (task.deliveries >= maxDeliveries) {", "if (false) {"),
    redis: claim("or deliveries > maxDeliveries then", "then"),
  },
  {
    name: "release charges a delivery",
    memory: memory("task.deliveries--; // takes", "// takes"),
    redis: step("math.max(0, deliveries - 1)", "deliveries"),
  },
  {
    name: "retry keeps the attempt",
    memory: memory("task.attempt++;", ""),
    redis: step("generation, attempt + 1, 0,", "generation, attempt, 0,"),
  },
  {
    name: "a consumer's own claim is taken over anew",
    memory: memory("if (task.run.consumer === consumer) this.#renew(task.run);", "if (false) {}"),
    redis: claim("elseif status == 82 and sub(row, -#me) == me then", "elseif false then"),
  },
  {
    name: "replaced entry left behind",
    memory: memory("this.#leave(task); // what waited", "// what waited"),
    redis: schedule(
      "call('XACK', stream, 'workers', entry)\n          call('XDEL', stream, entry)",
      "call('XACK', stream, 'workers', entry)",
    ),
  },
  {
    name: "replaced body kept",
    memory: memory(
      "this.#admit(key, generation, due, body, now);\n    return",
      "this.#admit(key, generation, due, task?.body ?? body, now);\n    return",
    ),
    redis: schedule("= key, key, body", "= key, key, row and call('HGET', bodies, key) or body"),
  },
  {
    name: "replacement forgotten when the run ends",
    memory: memory("const next = task.deferred ?? successor;", "const next = successor;"),
    redis: step("local replaced = flags >= 2 and handOver(key)", "local replaced = false"),
  },
  {
    name: "a key twice in one settle counts twice",
    memory: memory(
      "const committed = step.commits.map((commit) => this.#settle(commit, now, ttl));",
      "const held = step.commits.map(({ key, token }) => this.#tasks.get(key)?.run?.token === token);" +
        "const committed = step.commits.map((commit, i) => this.#settle(commit, now, ttl) || held[i]);",
    ),
    redis: step("byte(row, 1) == 82 and not seen[key] then", "byte(row, 1) == 82 then"),
  },
  {
    name: "a key twice in one settle: the last counts",
    redis: outcome("keys.has(key) ?", "false ?"),
  },
];
