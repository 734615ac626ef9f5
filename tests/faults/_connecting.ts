/**
 * A process that connects, with whatever permissions it has: it prints the code of the error, if it has one, and the message.
 *
 * @module
 */

import { Docket, type DocketError, Worker } from "../../mod.ts";

try {
  const docket = await Docket.connect({ name: "permissions", url: Deno.args[0] });
  console.log("connected", new Worker(docket).name);
  await docket.close();
} catch (error) {
  const { code, name, message } = error as DocketError;
  console.log(code ?? name, message);
}
