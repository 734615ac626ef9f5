/**
 * For tests of tasks and of storages: a clock that tests move, and the storage contract as tests.
 *
 * @module
 */

export { FakeClock } from "./clock.ts";
