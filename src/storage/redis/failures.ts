/**
 * What a failure of Redis means for whoever called it.
 *
 * @module
 */

import { isRefusal } from "./permissions.ts";

/**
 * What to do about a failure: try again; report that there is no room left (nothing was written); report that the user,
 * the password or the permissions are wrong, which only a person can change; report that it will fail again.
 */
export type Judgement = "again" | "full" | "refused" | "broken";

/** A connection could not be made: even a reply error now says something about the connection, not about a command. */
export class ConnectFailure extends Error {
  override readonly name = "ConnectFailure";
}

/** Nothing came back in time: whether the command was executed is unknown. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

const AGAIN: ReadonlySet<string> = new Set([
  "LOADING",
  "BUSY",
  "TRYAGAIN",
  "ASK", // a slot on its way: all of a docket has to be on the other side first
  "NOREPLICAS",
  "UNBLOCKED",
  "NOSCRIPT", // flushed between EVALSHA and its answer: the next try sends the whole script
]);

/** The server is not the master, or not the one for this slot, any more: it is looked up again (invariant 71). */
const ELSEWHERE: ReadonlySet<string> = new Set([
  "READONLY",
  "MASTERDOWN",
  "MOVED",
  "CLUSTERDOWN", // also what a node says that the others have given up
]);

/** No memory left, or no disk: what takes in work is refused, until somebody makes room (invariant 78). */
const FULL: ReadonlySet<string> = new Set(["OOM", "MISCONF"]);

const REFUSED: ReadonlySet<string> = new Set(["WRONGPASS", "NOAUTH", "NOPERM", "DENIED"]);

/** Tells what a failure means. */
export function judge(error: unknown): Judgement {
  const connecting = error instanceof ConnectFailure;
  const code = codeOf(connecting ? error.cause : error);
  if (code === undefined) return "again"; // no reply: the connection failed
  if (AGAIN.has(code) || ELSEWHERE.has(code)) return "again";
  if (FULL.has(code)) return "full";
  return REFUSED.has(code) || connecting ? "refused" : "broken";
}

/** Whether nobody is there: one who is still loading is. */
export function isAbsent(error: unknown): boolean {
  return error instanceof ConnectFailure && !AGAIN.has(codeOf(error.cause) ?? "");
}

/** Whether another server must be asked. */
export function isElsewhere(error: unknown): boolean {
  return ELSEWHERE.has(codeOf(error) ?? "");
}

/** The code of a reply error; `undefined` when it is another error. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== "ReplyError") return undefined;
  const { message } = error;
  if (message.startsWith("ERR max number of clients")) return "TRYAGAIN";
  if (isRefusal(message)) return "NOPERM"; // scripts say so in words of their own
  // Redis 6 wraps what a command in a script said: "ERR Error running script (…): @user_script: 3: -OOM command …".
  const inner = message.startsWith("ERR Error") ? /-([A-Z]{3,}) /.exec(message)?.[1] : undefined;
  return inner ?? /^-?([A-Z]+)/.exec(message)?.[1] ?? "ERR";
}

const UNTRUSTED =
  "the server's certificate is not valid now, or of an authority that is not known here; " +
  "give that one's certificate as redis.tls.ca or in NODE_EXTRA_CA_CERTS";

/** What to do about a certificate that is refused: the runtimes do not say, and not each tells all of them apart. */
const REMEDIES: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  CERT_HAS_EXPIRED: "the server needs a new one",
  CERT_NOT_YET_VALID: "one of the clocks is wrong",
  ERR_TLS_CERT_ALTNAME_INVALID: "connect by a name that the certificate holds",
};

/** What answers may say the password back: another program than Redis, or one whose AUTH has another name. */
export function conceal(error: unknown, password: string | null | undefined): unknown {
  if (password && error instanceof Error) error.message = error.message.replaceAll(password, "***");
  return error;
}

/** What may be shown of an error of the client library: its own properties hold the command, password included. */
export function bare(error: unknown): Error {
  const { message, code } = (error ?? {}) as { message?: unknown; code?: unknown };
  const text = typeof message === "string" && message !== "" ? message : String(code ?? error);
  // Redis adds which line of which script said so.
  const said = text.replace(/\.? script: [0-9a-f]{40}, on @user_script.*$/, "").slice(0, 300);
  const remedy = REMEDIES[String(code)];
  const plain = new Error(remedy ? `${said}: ${remedy}` : said);
  if (typeof code === "string") Object.assign(plain, { code });
  return plain;
}
