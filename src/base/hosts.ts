/**
 * URLs that name several hosts, as in `redis+cluster://user:password@one:6379,two:6379/`, which `URL` cannot read.
 *
 * @module
 */

/** `redis+cluster:`, `rediss+sentinel:` and the like. */
const LIST = /^([a-z]+\+[a-z]+):\/\/([^/?#]*)(.*)$/i;

/**
 * The URL once for each of the hosts that it names; `undefined` when it is none. One without a `+` in its scheme names one
 * host.
 */
export function perHost(url: string | URL): readonly [URL, ...URL[]] | undefined {
  const [, scheme, authority, rest] = LIST.exec(String(url).trim()) ?? [];
  const texts = scheme === undefined ? [url] : split(scheme, authority, rest);
  try {
    const [first, ...others] = texts.map((text) => new URL(text));
    return first && [first, ...others];
  } catch {
    return undefined; // the parser's own error would repeat the input, password included
  }
}

function split(scheme: string, authority: string, rest: string): readonly string[] {
  // Behind the hosts this is what follows an unescaped "/" in a password: the hosts would be its first half.
  if (rest.includes("@")) return [];
  const at = authority.lastIndexOf("@") + 1;
  const hosts = authority.slice(at).split(",");
  if (hosts.some((host) => !isHost(host))) return [];
  return hosts.map((host) => `${scheme}://${authority.slice(0, at)}${host}${rest}`);
}

/** A name or address, with a port or without. */
function isHost(text: string): boolean {
  return /^(?:[^\s,:@[\]]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(text);
}
