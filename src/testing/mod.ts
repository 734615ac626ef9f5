/**
 * For tests of tasks and of storages: a docket in memory, a clock that tests move, a storage that fails when told to, and
 * the storage contract as tests.
 *
 * @module
 */

export { assertScheduled, type ExpectedSchedule } from "./assert_scheduled.ts";
export { type FaultOptions, FaultyStorage, type Verb } from "./faulty_storage.ts";
export {
  memoryDocket,
  type MemoryDocketOptions,
  memoryStorage,
  type MemoryStorageOptions,
} from "./memory_docket.ts";
export { runAll, type RunAllOptions } from "./run_all.ts";
export { FakeClock } from "./clock.ts";
export { conformance, type Setup, type Subject } from "./conformance/mod.ts";
