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
