/**
 * Bugs at gates that the model test must catch, as those in `bugs.ts`.
 *
 * @module
 */

import { type Bug, patch } from "./plant.ts";

const requests = patch("src/storage/memory/requests.ts");
const work = patch("src/storage/memory/work.ts");
const site = patch("src/storage/memory/site.ts");
const lines = patch("src/storage/memory/places.ts");
const gates = patch("src/storage/memory/gates.ts");
const enter = patch("src/storage/redis/scripts/enter.ts");
const step = patch("src/storage/redis/scripts/step.ts");
const claim = patch("src/storage/redis/scripts/_claim.ts");
const common = patch("src/storage/redis/scripts/_common.ts");
const limits = patch("src/storage/redis/scripts/_gates.ts");
const cancel = patch("src/storage/redis/scripts/cancel.ts");
const schedule = patch("src/storage/redis/scripts/schedule.ts");

export const gateBugs: readonly Bug[] = [
  {
    name: "gates: no token check",
    memory: work(
      'if (task?.run?.token !== entry.token) return "fenced";',
      'if (!task?.run) return "fenced";',
    ),
    redis: enter("or sub(row, 25, 46) ~= token then return 'f' end", "then return 'f' end"),
  },
  {
    name: "gates: what was to be cancelled or replaced enters",
    memory: work("if (task.cancelled || task.deferred) {", "if (false) {"),
    redis: enter("if flags % 4 > 0 then said = 'drop' end", ""),
  },
  {
    name: "gates: what has passed ends when it asks again and is to be cancelled or replaced",
    memory: work("if (task.run.passed)", "if (false)"),
    redis: enter("if flags % 16 >= ${PASSED} then return 'p' end", ""),
  },
  {
    name: "gates: what is taken over has passed already",
    redis: claim("flags = flags % 4 ", "flags = flags - flags % 8 + flags % 4 "),
  },
  {
    name: "gates: one too many is let in",
    memory: gates("return (holders?.size ?? 0) >= max ||", "return (holders?.size ?? 0) > max ||"),
    redis: enter(
      "if call('HLEN', name) < gate.a then return end",
      "if call('HLEN', name) <= gate.a then return end",
    ),
  },
  {
    name: "gates: who holds one is turned away when it comes again",
    memory: gates("if (holders?.has(task)) return false;", ""),
    redis: enter("gate.mine = ask('HGET', name, key) == generation", "gate.mine = false"),
  },
  {
    name: "gates: no place is kept for who is woken, and arrivals overtake",
    memory: gates(
      "      this.#hold(gate, task);\n      woken.push(task);",
      "      woken.push(task);\n      if (woken.length === gate.max) break;",
    ),
    redis: limits("hold(id, key, sub(row, 3, 24))", ""),
  },
  {
    name: "gates: who leaves wakes nobody",
    memory: gates("return this.admit(gate);", "return [];"),
    redis: step("for i = 1, #left do admit(left[i][1], left[i][2]) end", ""),
  },
  {
    name: "gates: who leaves still holds",
    memory: gates("holders?.delete(task);", ""),
    redis: step("ask('HDEL', holdersOf(id), key)", "redis.call('TIME')"),
  },
  {
    name: "gates: who dies of its deliveries frees nothing",
    memory: work(
      'return this.#site.finish(task, { state: "dead"',
      'task.held = undefined;\n      return this.#site.finish(task, { state: "dead"',
    ),
    redis: claim("died = true", "died = false"),
  },
  {
    name: "gates: who is cancelled with its place kept frees nothing",
    memory: site(
      "this.tasks.remove(task.key);\n    this.tasks.giveBack(task, now);",
      "this.tasks.remove(task.key);",
    ),
    redis: cancel("${succeedAlone}", ""),
  },
  {
    name: "gates: who is replaced with its place kept frees nothing",
    memory: requests(
      'this.#tasks.giveBack(task, now);\n      this.#site.end(task, cancelledAt(task.attempt, "replaced"',
      'this.#site.end(task, cancelledAt(task.attempt, "replaced"',
    ),
    redis: schedule("${succeedAlone}", ""),
  },
  {
    name: "gates: who is put off keeps its other places",
    memory: work(
      "    task.heldSince = undefined; // who had it enter knows it\n    this.#tasks.giveBack(task, now);",
      "    task.heldSince = undefined;",
    ),
    redis: enter("if asked[i].kind == 'h' and ask('HGET'", "if false and ask('HGET'"),
  },
  {
    name: "gates: a waiter that is cancelled stays in line",
    memory: lines("this.gates.leaveLine(task);", ""),
    redis: common("elseif status == 87 then leaveLine(key, row)", "elseif status == 87 then"),
  },
  {
    name: "gates: in line in the order in which they ask",
    memory: gates(
      "line.insert(task, (other) => other.arrival > task.arrival);",
      "line.push(task);",
    ),
    redis: enter(
      "ms * 4096 + math.min(4095, tonumber(sequence))",
      "now * 4096 + call('ZCARD', waiters)",
    ),
  },
  {
    name: "gates: the last in line comes in first",
    memory: gates(
      "for (let task = line?.first; task; task = line?.first) {",
      "for (let task = [...line ?? []].at(-1); task; task = [...line ?? []].at(-1)) {",
    ),
    redis: limits("call('ZPOPMIN', lineOf(id))", "call('ZPOPMAX', lineOf(id))"),
  },
  {
    name: "gates: those before the one that refuses are taken",
    memory: gates(
      'if (verdict.kind !== "pass") return verdict;',
      'if (verdict.kind !== "pass") return verdict;\n      this.#take(gate, task, now);',
    ),
    redis: enter(
      "if said == 'line' then asked.line = asked[i] end",
      "if said == 'line' then asked.line = asked[i] end\n" +
        "    if not said then takes[asked[i].kind](asked[i], key, generation, attempt) end",
    ),
  },
  {
    name: "gates: who is put off is charged a delivery",
    memory: work("task.deliveries--;\n    task.heldSince", "task.heldSince"),
    redis: enter("deliveries = math.max(0, deliveries - 1) ", "deliveries = deliveries + 0 "),
  },
  {
    name: "gates: since when nobody knew it is remembered",
    memory: work("task.heldSince = undefined; // who", "// who"),
  },
  {
    name: "gates: what was reported of a run that is put off is left",
    redis: enter("if flags >= 4 then call('DEL', progressPrefix .. key) end", ""),
  },
  {
    name: "rate: one too many passes",
    memory: gates("grants.size : grants", "grants.size - 1 : grants"),
    redis: enter("if call('ZCARD', name) < gate.a then", "if call('ZCARD', name) <= gate.a then"),
  },
  {
    name: "rate: who is to come later takes no place",
    memory: gates("grants.add(member, last + per); // its", "// its"),
    redis: enter("call('ZADD', name, string.format('%.0f', at), member)", "redis.call('TIME')"),
  },
  {
    name: "rate: who is to come later comes at once",
    memory: gates("at: last + per }", "at: last }"),
    redis: enter("local at = last[2] + gate.b", "local at = last[2] + 0"),
  },
  {
    name: "rate: the excess that is to be dropped comes later",
    memory: gates('excess === "drop" && task.attempt === 1', "false"),
    redis: enter("if gate.c == 1 and attempt == '1' then", "if false then"),
  },
  {
    name: "rate: who was given a time passes then, whoever began late",
    memory: gates(
      "(time === undefined ? grants.size : grants.until(now) - 1) < max",
      "time !== undefined || grants.size < max",
    ),
    // On Redis time passes by itself, and nothing comes late by just so much: the conformance suite sees to that.
  },
  {
    name: "rate: a retry is dropped",
    memory: gates('excess === "drop" && task.attempt === 1', 'excess === "drop"'),
    redis: enter("if gate.c == 1 and attempt == '1' then", "if gate.c == 1 then"),
  },
  {
    name: "cooldown: it drops who began it",
    memory: gates("&& cooling.generation !== task.generation", ""),
    redis: enter("if by and by ~= generation then", "if by then"),
  },
  {
    name: "cooldown: a retry is dropped",
    memory: gates('if (task.attempt > 1) return { kind: "pass" }; // it has', "// it has"),
    redis: enter("if attempt ~= '1' then return end     ", "    "),
  },
  {
    name: "cooldown: it begins anew with each that passes",
    memory: gates("if (cooling && cooling.until > now) return;", ""),
    redis: enter("string.format('%.0f', gate.a), 'NX')", "string.format('%.0f', gate.a))"),
  },
  {
    name: "debounce: those before the last are not dropped",
    memory: work('this.#site.cancel(older, "dropped", now, ttl); // what', "// what"),
    redis: enter(
      "call('HDEL', state, key)\n  call('HDEL', bodies, key)\n  leave(key, row)",
      "do return '' end",
    ),
  },
  {
    name: "debounce: who was about to ask when a later one came takes its place",
    memory: gates('if (latest?.older.includes(generation)) return { kind: "drop" };', ""),
    redis: enter("== generation then return 'drop' end   --", "== '' then return 'drop' end   --"),
  },
  {
    name: "debounce: the last passes before it is quiet",
    memory: gates("const due = now + quiet;", "const due = now;"),
    redis: enter("local due = now + gate.a", "local due = now"),
  },
  {
    name: "debounce: who has passed is superseded when it comes again",
    memory: work("if (passed || older.run) return true", "if (older.run) return true"),
    redis: enter("if passed or byte(row, 1) == 82 then", "if byte(row, 1) == 82 then"),
  },
  {
    name: "debounce: who has passed does not pass again",
    memory: gates("if (latest?.passed === task.generation)", "if (false)"),
    redis: enter("if latest[4] == generation then return end", ""),
  },
];
