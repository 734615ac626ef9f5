/**
 * Many at once: calls are planned, checked, and scheduled in one round trip. Each has its own disposition and result.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, strictEqual as equal, throws } from "node:assert/strict";
import { Docket, Worker } from "@docket/docket";

function resize(image: string, width: number): string {
  return `${image} at ${width} pixels`;
}

function count(images: readonly string[]): number {
  return images.length;
}

await using docket = await Docket.connect({ url: "memory://add-all" });
const images = ["cat.png", "dog.png", "cat.png"];

// The same image twice is one piece of work.
const executions = await docket.addAll(
  images.map((image) => docket.call(resize, { key: `resize-${image}` })(image, 640)),
);
for (const { key, disposition } of executions) console.log(`${key}: ${disposition}`);
deepEqual(executions.map(({ disposition }) => disposition), ["scheduled", "scheduled", "exists"]);

// Different tasks go together, too. Each handle knows the type of its result.
const [one, all] = await docket.addAll([
  docket.call(resize, { delay: "20ms" })("bird.png", 320),
  docket.call(count)(images),
]);

// What cannot be carried is refused where it is planned: nothing is scheduled by halves.
throws(() => docket.call(count)([(() => {}) as never]), { code: "SERIALIZATION" });

await using worker = new Worker(docket);
await worker.runUntilFinished();
const text: string = await one.result();
const number: number = await all.result();
console.log(`${text}; ${number} images`);
equal(text, "bird.png at 320 pixels");
equal(number, 3);
