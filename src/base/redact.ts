/**
 * Secrets appear nowhere (invariant 85): every URL that is shown goes through here.
 *
 * @module
 */

import { perHost } from "./hosts.ts";

/** The URL without user, password, query, and a path that may hold them; `"<invalid URL>"` when it cannot be read, so that nothing is echoed. */
export function redactUrl(url: string | URL): string {
  const urls = perHost(url);
  return urls ? redactUrls(urls) : "<invalid URL>";
}

/** The same of a URL that is there once for each host that it names. */
export function redactUrls(urls: readonly [URL, ...URL[]]): string {
  const [{ protocol, username, password, pathname }] = urls;
  const credentials = username || password ? "***@" : "";
  const path = pathname.includes("@") ? "/***" : pathname; // of redis:/:secret@host
  return `${protocol}//${credentials}${urls.map(({ host }) => host).join(",")}${path}`;
}

/**
 * A text that may quote URLs, as errors of clients do, without the user and password of any. It takes no longer than it takes
 * to read the text, whatever that is.
 */
export function redactText(text: string): string {
  return text.replaceAll(CREDENTIALS, "$1***@");
}

/** A scheme, and what stands between it and the last `@` of the host's part. */
const CREDENTIALS = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#"\\]*@/gi;
