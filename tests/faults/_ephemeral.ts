/**
 * A process with a docket in its memory: it prints how many tasks it finds there, and leaves one.
 *
 * @module
 */

import { Docket } from "../../mod.ts";

await using docket = await Docket.connect({ name: "ephemeral", url: "memory://ephemeral" });
const { counts } = await docket.snapshot();
await docket.add("later", { key: "the only one", delay: "1h" })();
const { counts: after } = await docket.snapshot();
console.log(`${counts.scheduled} ${after.scheduled}`);
