/** Secrets appear nowhere (invariant 85). */

import { ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { redactText, redactUrl } from "../../src/base/redact.ts";

const URLS: readonly (readonly [string | URL, string])[] = [
  ["redis://localhost:6379/0", "redis://localhost:6379/0"],
  ["redis://:secret@host:6379/0", "redis://***@host:6379/0"],
  ["rediss://user:secret@host/1?password=secret#secret", "rediss://***@host/1"],
  [new URL("redis://user@host"), "redis://***@host"],
  ["unix:///run/redis.sock?password=secret", "unix:///run/redis.sock"],
  ["memory://name", "memory://name"],
  ["redis://:sec/ret@host", "<invalid URL>"],
  ["redis:/:secret@host", "redis:///***"],
  ["redis:secret@host", "redis:///***"],
  ["redis+cluster://user:secret@one:1,two:2/", "redis+cluster://***@one:1,two:2/"],
  ["redis+sentinel://one,[::1]:2/main/3", "redis+sentinel://one,[::1]:2/main/3"],
  [
    "rediss+sentinel://:secret@one/main?sentinelPassword=secret#secret",
    "rediss+sentinel://***@one/main",
  ],
  ["redis+cluster://user:sec,re/t@host:1", "<invalid URL>"],
  ["redis+cluster://user:12,34/secret@host:1", "<invalid URL>"],
  ["redis+cluster://user:12,34?secret@host:1", "<invalid URL>"],
  ["redis+cluster://one:secret,two", "<invalid URL>"],
  ["redis+cluster://", "<invalid URL>"],
  ["redis+cluster:/:secret@host", "redis+cluster:///***"],
  ["secret", "<invalid URL>"],
  ["", "<invalid URL>"],
];

for (const [url, shown] of URLS) {
  test(`redactUrl() shows ${shown} of ${url}`, () => {
    equal(redactUrl(url), shown);
  });
}

test("redactUrl() never shows a password", () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9%:@/?#&=+!$*()_~.-]{12,30}$/);

  fc.assert(
    fc.property(secret, (password) => {
      const shown = [
        redactUrl(`redis://user:${encodeURIComponent(password)}@host:6379/0`),
        redactUrl(`redis://host/0?password=${encodeURIComponent(password)}`),
        redactUrl(`redis+cluster://user:${encodeURIComponent(password)}@one,two:6379/`),
        redactUrl(`redis+sentinel://one,two/m?sentinelPassword=${encodeURIComponent(password)}`),
      ];
      equal(shown.some((text) => text.includes(password.slice(0, 12))), false);
    }),
  );
});

const TEXTS: readonly (readonly [string, string])[] = [
  ["connect to postgres://jane:s3cret@db/x failed", "connect to postgres://***@db/x failed"],
  ["(mongodb+srv://a:b@c,d:e@f/g?h)", "(mongodb+srv://***@f/g?h)"],
  ['{"url":"redis://:p@ss@h:1","to":"x@y"}', '{"url":"redis://***@h:1","to":"x@y"}'],
  [
    "see https://example.com/@jane, or jane@example.com",
    "see https://example.com/@jane, or jane@example.com",
  ],
  ["two: a://b@c a://b@c", "two: a://***@c a://***@c"],
  ["redis://:it's`<b>@host/0 said no", "redis://***@host/0 said no"],
  ["", ""],
];

for (const [text, shown] of TEXTS) {
  test(`redactText() makes ${JSON.stringify(shown)} of what a client says`, () => {
    equal(redactText(text), shown);
  });
}

// Without bounds in its pattern, each of these would take minutes.
test("redactText() takes no longer than it takes to read the text", () => {
  for (const part of ["a", "a.", "a://", "a:", "://", "@", "a://b@", "a-"]) {
    const text = part.repeat(500_000);
    const start = performance.now();
    redactText(text);
    ok(performance.now() - start < 5_000, part);
  }
});
