/**
 * For tests of tasks and of storages: a clock that tests move, and the storage contract as tests.
 *
 * @module
 */

export { FakeClock } from "./clock.ts";
export { conformance, type Setup, type Subject } from "./conformance/mod.ts";
