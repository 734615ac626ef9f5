/** Calls made one at a time travel together. */

import { deepStrictEqual as deepEqual, rejects, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../src/testing/clock.ts";
import { GroupCommit, type GroupCommitOptions } from "../../src/base/group_commit.ts";

/** A group commit whose groups end when the test says so. */
function held(options: Partial<GroupCommitOptions<string, string>> = {}) {
  const groups: (readonly string[])[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const commit = new GroupCommit<string, string>({
    maxItems: 10,
    lanes: 1,
    send(items) {
      groups.push(items);
      return new Promise((resolve, reject) => {
        const answers = items.map((item) => item.toUpperCase());
        ends.push((error) => error ? reject(error) : resolve(answers));
      });
    },
    ...options,
  });
  return { commit, groups, ends };
}

const { settle } = new FakeClock();

test("GroupCommit.add() sends all of one tick in one group, in order", async () => {
  const { commit, groups, ends } = held();

  const answers = Promise.all(["a", "b", "c"].map((item) => commit.add(item)));
  await settle();
  ends[0]();

  deepEqual(groups, [["a", "b", "c"]]);
  deepEqual(await answers, ["A", "B", "C"]); // to each its own
});

test("GroupCommit.add() gathers callers that wake up together", async () => {
  const { commit, groups } = held();
  const opened = Promise.resolve();

  for (const item of ["a", "b"]) void opened.then(() => commit.add(item));
  void commit.add("c");
  await settle();

  deepEqual(groups.map((group) => group.toSorted()), [["a", "b", "c"]]);
});

test("GroupCommit.add() keeps what comes meanwhile for the next group", async () => {
  const { commit, groups, ends } = held();
  void commit.add("a");
  await settle();

  void commit.add("b");
  await settle();
  const late = commit.add("c");
  await settle();
  deepEqual(groups, [["a"]]);
  ends[0]();
  await settle();

  deepEqual(groups, [["a"], ["b", "c"]]);
  ends[1]();
  equal(await late, "C");
});

test("GroupCommit.add() keeps as many groups under way as it has lanes", async () => {
  const { commit, groups, ends } = held({ lanes: 2 });

  for (const item of ["a", "b", "c"]) {
    void commit.add(item);
    await settle();
  }
  deepEqual(groups, [["a"], ["b"]]);
  ends[1]();
  await settle();

  deepEqual(groups, [["a"], ["b"], ["c"]]);
});

test("GroupCommit.add() lets full groups go beyond its lanes, as far as it may", async () => {
  const { commit, groups, ends } = held({ lanes: 2, fullLanes: 4, maxItems: 2 });
  const add = async (...items: readonly string[]) => {
    for (const item of items) void commit.add(item);
    await settle();
  };

  await add("a", "b", "c", "d"); // two full ones, on the lanes
  await add("e");
  deepEqual(groups, [["a", "b"], ["c", "d"]]); // not full: it waits, it may become so
  await add("f", "g");
  deepEqual(groups.slice(2), [["e", "f"]]);
  await add("h", "i", "j");
  deepEqual(groups.slice(3), [["g", "h"]]); // no more than four
  ends[0]();
  await settle();

  deepEqual(groups.slice(4), [["i", "j"]]);
});

test("GroupCommit.add() lets what is no full group wait until a lane is free", async () => {
  const { commit, groups, ends } = held({ lanes: 1, fullLanes: 3, maxItems: 2 });
  for (const item of ["a", "b", "c", "d", "e"]) void commit.add(item);
  await settle();
  deepEqual(groups, [["a", "b"], ["c", "d"]]);

  ends[1]();
  await settle();
  deepEqual(groups.length, 2); // one is under way still, and that is all the lanes there are
  ends[0]();
  await settle();

  deepEqual(groups.slice(2), [["e"]]);
});

test("GroupCommit.add() lets full groups wait for a lane, too, unless it is told otherwise", async () => {
  const { commit, groups, ends } = held({ lanes: 2, maxItems: 1 });
  for (const item of ["a", "b", "c"]) void commit.add(item);
  await settle();
  deepEqual(groups, [["a"], ["b"]]);

  ends[0]();
  await settle();

  deepEqual(groups.slice(2), [["c"]]);
});

test("GroupCommit.add() puts no more items into a group than it may hold", async () => {
  const { commit, groups, ends } = held({ maxItems: 2 });

  for (const item of ["a", "b", "c", "d", "e"]) void commit.add(item);
  for (let i = 0; i < 3; i++) {
    await settle();
    ends[i]();
  }

  deepEqual(groups, [["a", "b"], ["c", "d"], ["e"]]);
});

test("GroupCommit.add() puts no more weight into a group than it may hold", async () => {
  const { commit, groups } = held({ lanes: 9, maxWeight: 4, weigh: (item) => item.length });

  for (const item of ["aa", "bb", "c", "much too heavy", "d", "eee", "f"]) void commit.add(item);
  await settle();

  // What is too heavy for any group goes alone.
  deepEqual(groups, [["aa", "bb"], ["c"], ["much too heavy"], ["d", "eee"], ["f"]]);
});

test("GroupCommit.add() rejects for a whole group that failed, and goes on", async () => {
  const { commit, groups, ends } = held();
  const failed = [commit.add("a"), commit.add("b")];
  await settle();
  const next = commit.add("c");

  ends[0](new Error("lost"));

  for (const answer of failed) await rejects(answer, /lost/);
  await settle();
  ends[1]();
  equal(await next, "C");
  deepEqual(groups, [["a", "b"], ["c"]]);
});

test("GroupCommit.add() rejects when sending throws at once", async () => {
  const commit = new GroupCommit<string, string>({
    maxItems: 1,
    lanes: 1,
    send() {
      throw new TypeError("broken");
    },
  });

  await rejects(commit.add("a"), /broken/);
  await rejects(commit.add("b"), /broken/); // the lane is free again
});
