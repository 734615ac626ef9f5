/**
 * The bugs that the model test must catch, planted one at a time by `scripts/plant.ts`. Each breaks a line that keeps a
 * promise of the storage contract, on each storage where there is such a line.
 *
 * @module
 */

import { type Bug, patch } from "./plant.ts";

const requests = patch("src/storage/memory/requests.ts");
const work = patch("src/storage/memory/work.ts");
const upkeep = patch("src/storage/memory/upkeep.ts");
const site = patch("src/storage/memory/site.ts");
const ending = patch("src/storage/memory/ending.ts");
const places = patch("src/storage/memory/places.ts");
const records = patch("src/storage/memory/records.ts");
const rules = patch("src/storage/memory/rules.ts");
const cancel = patch("src/storage/redis/scripts/cancel.ts");
const claim = patch("src/storage/redis/scripts/_claim.ts");
const promote = patch("src/storage/redis/scripts/promote.ts");
const reclaim = patch("src/storage/redis/scripts/reclaim.ts");
const renew = patch("src/storage/redis/scripts/renew.ts");
const schedule = patch("src/storage/redis/scripts/schedule.ts");
const step = patch("src/storage/redis/scripts/step.ts");
const common = patch("src/storage/redis/scripts/_common.ts");
const outcome = patch("src/storage/redis/outcome.ts");
const clear = patch("src/storage/redis/scripts/clear.ts");
const report = patch("src/storage/redis/scripts/report.ts");
const discard = patch("src/storage/redis/scripts/discard.ts");
const requeue = patch("src/storage/redis/scripts/requeue.ts");
const seed = patch("src/storage/redis/scripts/seed.ts");
const strike = patch("src/storage/redis/scripts/strike.ts");
const sweep = patch("src/storage/redis/scripts/sweep.ts");

export const bugs: readonly Bug[] = [
  {
    name: "no token check in settle",
    memory: work(
      "if (task?.run?.token !== token) return false;",
      "if (!task?.run) return false;",
    ),
    redis: step("row and sub(row, 25, 46) == tokens[i] and", "row and"),
  },
  {
    name: "short way of settling: no token check",
    redis: step("find(row, tokens[i], 25, true) == 25 and", ""),
  },
  {
    name: "short way of settling: a part of the token is enough",
    redis: step("and #tokens[i] == 22", ""),
  },
  {
    name: "short way of settling: what was asked for meanwhile is overlooked",
    redis: step("and byte(row, 2) == 48 and #tokens[i]", "and #tokens[i]"),
  },
  {
    name: "short way of settling: a key twice counts twice",
    redis: step("~= 67 or seen[key] then", "~= 67 then"),
  },
  {
    name: "short way of settling: whatever came of it, it is completed",
    redis: step("code ~= 99 and code ~= 67 or seen[key]", "seen[key]"),
  },
  {
    name: "short way of settling: a record that is not wanted is kept",
    redis: step("then ttl, span, text = '${STUB}', '', '' end", "then ttl = '${STUB}' end"),
  },
  {
    name: "short way of settling: the body stays",
    redis: step("call('HDEL', bodies, unpack(names))", ""),
  },
  {
    name: "short way of settling: no ack",
    redis: step("call('XACK', stream, 'workers', unpack(settled))", ""),
  },
  {
    name: "short way of settling: the record of another",
    redis: step("1, 1) .. sub(rows[i], 3", "1, 1) .. sub(rows[1], 3"),
  },
  {
    name: "short way of settling: how long it ran is left out",
    redis: step(".. stamp .. span .. text)", ".. stamp .. text)"),
  },
  {
    name: "settling: how long it ran is left out",
    redis: step("outcome = 'c' .. spans[i] .. sub(outcome, 2)", "outcome = 'c' .. sub(outcome, 2)"),
  },
  {
    name: "short way of claiming: the attempt and deliveries of before are overlooked",
    redis: step("and find(row, '|1|0|', at, true) == at and", "and byte(row, at) == 124 and"),
  },
  {
    name: "short way of claiming: the entry of an earlier life",
    redis: step("and find(row, entry, 25, true) == 25", ""),
  },
  {
    name: "short way of claiming: no maximum of deliveries",
    redis: step("plain = maxDeliveries > 0", "plain = true"),
  },
  {
    name: "short way of claiming: a place that is kept at a gate is overlooked",
    redis: step("find(due, '[|~]')", "find(due, '~')"),
  },
  {
    name: "short way of claiming: when it is due is forgotten",
    redis: step("'|1|1|' .. due .. tail", "'|1|1|' .. tail"),
  },
  {
    name: "short way of scheduling: the record of the same request is overlooked",
    redis: schedule("areNew and not (texts[i] and", "areNew and not (false and"),
  },
  {
    name: "short way of scheduling: what is live is overlooked",
    redis: schedule("areNew = areNew and not rows[i] end", "end"),
  },
  {
    name: "short way of scheduling: a key twice",
    redis: schedule("underWay == '' and not repeated and", "underWay == '' and"),
  },
  {
    name: "short way of scheduling: no bodies",
    redis: schedule("call('HSET', bodies, unpack(bodyPairs))", ""),
  },
  {
    name: "short way of scheduling: no rows",
    redis: schedule("call('HSET', state, unpack(rowPairs))", ""),
  },
  {
    name: "short way of scheduling: delays from no time at all",
    redis: schedule("if timed or watched then", "if watched then"),
  },
  {
    name: "no owner check in claim: a live claim is taken over",
    memory: work(
      "if (!task?.run || task.run.renewedAt > expired) break;",
      "if (!task?.run) break;",
    ),
    redis: claim("elseif status == 82 and not expired then", "elseif false then"),
  },
  {
    name: "no lease check in reclaim",
    redis: reclaim("consumer, lease, reply[1], 'COUNT'", "consumer, 0, reply[1], 'COUNT'"),
  },
  {
    name: "replace not deferred while running",
    memory: requests("if (task?.run) {\n      // Deferred", "if (false) {\n      // Deferred"),
    redis: schedule("elseif row and (byte(row, 1) == 82 or", "elseif row and (false or"),
  },
  {
    name: "settle without ack",
    memory: places("task.run.consumer.held.delete(task);", ""),
    redis: step("acknowledge(settled, remove == 'now')", ""),
  },
  {
    name: "request id ignored: live row",
    memory: requests(
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
    memory: requests(
      'if (task?.deferred?.generation === generation) return { kind: "deferred" };',
      "",
    ),
    redis: schedule("if previous ~= generation then", "if true then"),
  },
  {
    name: "request id ignored: record",
    memory: requests("records.has(key, generation, now) ?", "false ?"),
    redis: schedule("recorded[i] = texts[n] and", "recorded[i] = false and"),
  },
  {
    name: "request id ignored: an earlier call of the same request",
    memory: requests("return i < later ?", "return false ?"),
    redis: schedule("local before = i < (applied[key] or 0)", "local before = false"),
  },
  {
    name: "a key twice in one schedule: the second overlooks the first",
    redis: schedule("if seen[key] then flush()", "if false then flush()"),
  },
  {
    name: "last call of a lane ignored when it is sent again",
    memory: work(
      "if (last && step.call <= last.call) return repeat(step, last, rules.version);",
      "",
    ),
    redis: step("if tonumber(number) == last then", "if false then"),
  },
  {
    name: "last reclaim ignored when it is sent again",
    memory: work("last?.token === reclaim.token && last.from === reclaim.cursor", "false"),
    redis: reclaim("if last and sub(remembered[1]", "if false and sub(remembered[1]"),
  },
  {
    name: "cancel flag ignored at claim",
    memory: work("if (task.cancelled) { // never", "if (false) { // never"),
    redis: claim("local cancelled = flags % 2 == 1", "local cancelled = false"),
  },
  {
    name: "cancel flag ignored at settle",
    memory: ending(
      "if (!cancelled && !deferred) return undefined;",
      "if (!deferred) return undefined;",
    ),
    redis: step("if again and (cancelled or next) then", "if again and next then"),
  },
  {
    name: "cancel flag ignored at renewal",
    memory: work('return task.cancelled ? "cancel" : "kept";', 'return "kept";'),
    redis: renew("letters[i] = byte(rows[i], 2) % 2 == 1 and 'c' or 'o'", "letters[i] = 'o'"),
  },
  {
    name: "cancel keeps the replacement",
    memory: requests(
      'if (generation === undefined) this.#site.drop(task, "cancelled", now, ttl);',
      "",
    ),
    redis: cancel("if waiting and (wanted == '' or", "if waiting and (false or"),
  },
  {
    name: "cancel of one generation ignores the generation",
    memory: requests(
      "if (generation !== undefined && generation !== task.generation) {",
      "if (false) {",
    ),
    redis: cancel(
      "local live = row and not strange and (wanted == '' or wanted == generation)",
      "local live = row and not strange",
    ),
  },
  {
    name: "promote drops a field: the attempt",
    memory: work(
      "this.#tasks.enqueue(task, now); // the very same",
      "task.attempt = 1; this.#tasks.enqueue(task, now); //",
    ),
    redis: promote(".. sub(row, 25)", ".. '|1' .. string.match(row, '^|%d+(.*)$', 25)"),
  },
  {
    name: "renewal steals",
    memory: work(
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
    memory: work(
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
    memory: work("task.deliveries++; // before", "// before"),
    redis: claim("deliveries = (deliveries or 0) + 1", "deliveries = deliveries + 0"),
  },
  {
    name: "no maximum of deliveries",
    memory: work("if (task.deliveries >= maxDeliveries) {", "if (false) {"),
    redis: claim("or deliveries > maxDeliveries then", "then"),
  },
  {
    name: "release charges a delivery",
    memory: work("task.deliveries--; // takes", "// takes"),
    redis: step(
      "if kind == 'L' then wait(key, generation, attempt, math.max(0, deliveries - 1)",
      "if kind == 'L' then wait(key, generation, attempt, deliveries",
    ),
  },
  {
    name: "retry keeps the attempt",
    memory: work("task.attempt++;", ""),
    redis: step("generation, attempt + 1, 0,", "generation, attempt, 0,"),
  },
  {
    name: "a consumer's own claim is taken over anew",
    memory: work("if (task.run.consumer === consumer) this.#renew(task.run);", "if (false) {}"),
    redis: claim("elseif status == 82 and sub(row, -#me) == me then", "elseif false then"),
  },
  {
    name: "replaced entry left behind",
    memory: requests("this.#tasks.leave(task); // what waited", "// what waited"),
    redis: common("      call('XDEL', stream, entry)\n", ""),
  },
  {
    name: "replaced body kept",
    memory: requests(
      "this.#tasks.admit(key, generation, due, body, now);\n    return",
      "this.#tasks.admit(key, generation, due, task?.body ?? body, now);\n    return",
    ),
    redis: schedule("= key, key, body", "= key, key, row and call('HGET', bodies, key) or body"),
  },
  {
    name: "replacement forgotten when the run ends",
    memory: site(
      "if (deferred) this.tasks.admit(key, deferred",
      "if (false) this.tasks.admit(key, deferred!",
    ),
    redis: step("local next = flags % 4 >= 2 and replacement(key)", "local next = false"),
  },
  {
    name: "a key twice in one settle counts twice",
    memory: work(
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
  {
    name: "successor not conditional on the claim",
    memory: work(
      "if (task?.run?.token !== token) return false;",
      'if (task?.run?.token !== token && settlement.kind !== "succeeded") return false;' +
        "if (!task?.run) return false;",
    ),
    redis: step(
      "if row and sub(row, 25, 46) == tokens[i] and byte(row, 1) == 82",
      "if row and (sub(row, 25, 46) == tokens[i] or byte(outcomes[i], 1) == 80) and byte(row, 1) == 82",
    ),
  },
  {
    name: "successor scheduled although a cancel is wanted",
    memory: work(
      "const successor = cancelled ? undefined : successorOf(settlement);",
      "const successor = successorOf(settlement);",
    ),
    redis: step("elseif successor and not cancelled then", "elseif successor then"),
  },
  {
    name: "successor puts a replacement out of the way",
    memory: site(
      "if (deferred) this.tasks.admit(key, deferred",
      "if (deferred && !successor) this.tasks.admit(key, deferred",
    ),
    redis: step(
      "if next then handOver(key, next)",
      "if next and not successor then handOver(key, next)",
    ),
  },
  {
    name: "successor not in the background",
    memory: site(
      "successor.due, successor.body, now, true);",
      "successor.due, successor.body, now);",
    ),
    redis: step(
      "wait(key, successor, 1, 0, instant(due), true)",
      "wait(key, successor, 1, 0, instant(due))",
    ),
  },
  {
    name: "still in the background when it is queued",
    memory: places("if (task.background) this.#background--;", ""),
    redis: promote("redis.pcall('SREM', background, unpack(hidden))", "redis.call('TIME')"),
  },
  {
    name: "since when a task is held is forgotten",
    memory: work("task.heldSince ?? now", "now + ++this.#claims"),
    redis: step("if (since or '') == '' then since", "if true then since"),
  },
  {
    name: "strikes loaded late: scheduled in the light of old ones",
    memory: requests("strikes !== rules.version) {", "false) {"),
    redis: schedule("if checked and ", "if false and "),
  },
  {
    name: "version of the strikes not told with what is claimed",
    memory: work("reply(lane, rules.version),", 'reply(lane, ""),'),
    redis: step("memory[3] or ''", "''"),
  },
  {
    name: "a repeated strike is a new version",
    memory: rules("if (this.#rules.has(rule) === struck) return false;", ""),
    redis: strike("if (call('HEXISTS', strikes, rule) == 1) == struck then return 0 end", ""),
  },
  {
    name: "seed over a chain that was stopped",
    memory: upkeep('if (chains.isStopped(key)) return "stopped";', ""),
    redis: seed("elseif known == 'off' then", "elseif false then"),
  },
  {
    name: "seed over what is parked",
    memory: upkeep('if (records.grave(key)) return "parked";', ""),
    redis: seed("elseif call('HEXISTS', graves, key) == 1 then", "elseif false then"),
  },
  {
    name: "cancel does not stop the chain",
    memory: requests(
      "if (whole) chains.stop(key);",
      "",
    ),
    redis: cancel("call('HSET', automatic, key, 'off')", "redis.call('TIME')"),
  },
  {
    name: "what ends on purpose is seeded again",
    memory: site(
      "if (ending.stops) this.chains.stop(key);",
      "",
    ),
    redis: step("then call('HSET', automatic, key, 'off') end", "then redis.call('TIME') end"),
  },
  {
    name: "requeue runs what runs again already",
    memory: upkeep(
      'if (task) return { kind: "exists", live: view(task) };\n      const body',
      "const body",
    ),
    redis: requeue("elseif row then", "elseif false then"),
  },
  {
    name: "requeued and still parked",
    memory: upkeep("records.unearth(key, generation);", ""),
    redis: requeue("call('HDEL', graves, key)", "redis.call('TIME')"),
  },
  {
    name: "discarded and still parked",
    memory: records("if (wasParked) this.#graves.delete(key);", ""),
    redis: discard("call('HDEL', graves, key)", "redis.call('TIME')"),
  },
  {
    name: "discard forgets another generation",
    memory: records(
      "const wasParked = this.#graves.get(key)?.generation === generation;",
      "const wasParked = this.#graves.has(key);",
    ),
    redis: discard("if grave and sub(grave, 2, 23) == generation then", "if grave then"),
  },
  {
    name: "clear keeps replacements",
    memory: upkeep('this.#site.drop(task, "cleared", now, ttl);', ""),
    redis: clear("local text = call('HGET', deferred, key)", "local text = false"),
  },
  {
    name: "clear counts anew when it is sent again",
    memory: upkeep(
      'if (this.#cleared.request === request) return { cleared: this.#cleared.count, cursor: "" };',
      "",
    ),
    redis: clear("if memory[2] and sub(", "if false and sub("),
  },
  {
    name: "progress of a stale claim is shown",
    memory: work(
      "if (task?.run?.token !== token) continue;",
      "if (!task?.run) continue;",
    ),
    redis: report(
      "byte(row, 1) == 82 and sub(row, 25, 46) == token then",
      "byte(row, 1) == 82 then token = sub(row, 25, 46)",
    ),
  },
  {
    name: "sweep leaves what runs with nobody",
    redis: sweep("isLost(key, entry, status == 82)", "status == 81 and isLost(key, entry, false)"),
  },
  {
    name: "sweep leaves what is due and stands nowhere",
    redis: sweep("call('ZADD', dueSet, string.format('%.0f', at), names[i])", "redis.call('TIME')"),
  },
  {
    name: "sweep queues anew what is sound",
    redis: sweep(
      "#call('XPENDING', stream, 'workers', entry, entry, 1) > 0 then return false",
      "false then return false",
    ),
  },
  {
    name: "sweep runs again what was cancelled",
    redis: sweep("local reason = flags % 2 == 1 and 'c' or", "local reason ="),
  },
  {
    name: "sweep resurrects a finished task",
    redis: sweep(
      "local reply = call('HSCAN', state, cursor, 'COUNT', limit)",
      "local before = call('HGET', calls, '@page')\n" +
        "local reply = call('HSCAN', state, cursor, 'COUNT', limit)\n" +
        "local page = cmsgpack.pack(reply[2])\n" +
        "if before then\n" +
        "  local rows = cmsgpack.unpack(before)\n" +
        "  for i = 1, #rows, 2 do\n" +
        "    if call('HEXISTS', state, rows[i]) == 0 then\n" +
        "      reply[2][#reply[2] + 1], reply[2][#reply[2] + 2] = rows[i], rows[i + 1]\n" +
        "    end\n" +
        "  end\n" +
        "end\n" +
        "call('HSET', calls, '@page', page)",
    ),
  },
];
