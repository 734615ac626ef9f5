/**
 * Tells who can claim.
 *
 * @module
 */

import type { Presence } from "../../contract.ts";
import { type Script, script } from "../script.ts";
import { time } from "./_common.ts";

/** Those who are advertised. Writes nothing: who died without a word is forgotten by the sweep. */
export const workers: Script<Record<never, never>, readonly Presence[]> = script(
  {
    keys: ["workers", "workerPrefix"],
    args: {},
    reply: (raw) => {
      const flat = raw as string[];
      const presences: Presence[] = [];
      for (let i = 0; i < flat.length; i += 3) {
        presences.push({ consumer: flat[i], seenAt: Number(flat[i + 1]), text: flat[i + 2] });
      }
      return presences;
    },
  },
  /* lua */ `
${time}
local list, told = call('ZRANGE', workers, 0, -1, 'WITHSCORES'), {}
for from = 1, #list, 2000 do
  local to, names = math.min(from + 1999, #list), {}
  for i = from, to, 2 do names[#names + 1] = workerPrefix .. list[i] end
  local texts = call('MGET', unpack(names))
  for i = from, to, 2 do
    local at, n = (i - from) / 2 + 1, #told
    local span, text = match(texts[at] or '', '^(%d+)|(.*)$')
    if span then                                            -- what is left of it tells when it was renewed
      local seen = math.min(now, now - span + call('PTTL', names[at]))
      told[n + 1], told[n + 2], told[n + 3] = list[i], string.format('%.0f', seen), text
    end
  end
end
return told
`,
);
