/**
 * Results, kept to compare with later ones, in a folder that git ignores.
 *
 * @module
 */

const folder = new URL("results/", import.meta.url);

/** Writes the data and the text of a run that began then; `prefix` is what their names begin with. */
export async function save(date: Date, data: string, text: string, prefix = ""): Promise<void> {
  const name = prefix + date.toISOString().slice(0, 19).replaceAll(":", "-");
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(new URL(`${name}.json`, folder), `${data}\n`);
  await Deno.writeTextFile(new URL(`${name}.md`, folder), `${text}\n`);
}
