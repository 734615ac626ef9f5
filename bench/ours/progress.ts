/**
 * What it costs to tell how far a task is, though nobody looks.
 *
 * @module
 */

import { task } from "../../mod.ts";
import type { Customer } from "../load.ts";
import type { Scenario } from "../scenario.ts";
import { feature } from "./feature.ts";

/** Drains tasks that each tell it once. */
export const progress: Scenario = feature(
  "progress",
  "progress told once by each task",
  (end) =>
    task("welcome", ({ progress }, customer: Customer): void => {
      progress.increment();
      end(customer);
    }),
);
