/**
 * No process outlives the test that started it, however that ends.
 *
 * @module
 */

/** Ends this process when its standard input, which its parent holds, is closed. */
export function endWithParent(): void {
  void (async () => {
    for await (const _ of Deno.stdin.readable);
    Deno.exit(1);
  })();
}
