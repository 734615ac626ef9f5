/**
 * The tasks of the README's tour of the command line.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { task } from "@docket/docket";

export const sendWelcomeEmail = task(
  "sendWelcomeEmail",
  ({ log }, customerId: number, name: string): void => {
    log.info("Dear {name}, you are customer {customerId}", { name, customerId });
  },
);

export const importRows = task("importRows", async ({ progress }, rows: number): Promise<void> => {
  progress.update({ total: rows, message: "importing" });
  for (let row = 0; row < rows; row++) {
    await sleep(400);
    progress.increment();
  }
});

export const charge = task("charge", (_context, order: number): void => {
  throw new Error(`The bank is closed: order ${order} was not charged`);
});
