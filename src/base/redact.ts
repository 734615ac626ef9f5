/**
 * Secrets appear nowhere (invariant 85): every URL that is shown goes through here.
 *
 * @module
 */

/** The URL without user, password, query, and a path that may hold them; `"<invalid URL>"` when it cannot be read, so that nothing is echoed. */
export function redactUrl(url: string | URL): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return "<invalid URL>";
  }
  const credentials = parsed.username || parsed.password ? "***@" : "";
  const path = parsed.pathname.includes("@") ? "/***" : parsed.pathname; // of redis:/:secret@host
  return `${parsed.protocol}//${credentials}${parsed.host}${path}`;
}

/**
 * A text that may quote URLs, as errors of clients do, without the user and password of any. It takes no longer than it takes
 * to read the text, whatever that is.
 */
export function redactText(text: string): string {
  return text.replaceAll(CREDENTIALS, "$1***@");
}

/** A scheme, and what stands between it and the last `@` of the host's part. */
const CREDENTIALS = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#"'`\\<>]*@/gi;
