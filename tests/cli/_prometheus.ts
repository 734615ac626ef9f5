/**
 * Prometheus's text format, version 0.0.4, read strictly: what is odd is an error.
 *
 * @module
 */

/** The type of a metric. */
type Type = "counter" | "gauge" | "histogram";

/** One line. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric, and all there is of it. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: Type;
  readonly samples: readonly Sample[];
}

/** Name → metric. Throws where it is not what Prometheus would take, or would take for something else. */
export function parsePrometheus(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith("\n")) throw new SyntaxError("The last line has no end");
  const families = new Map<string, Family & { readonly samples: Sample[] }>();
  let help: { readonly name: string; readonly text: string } | undefined;
  let family: (Family & { readonly samples: Sample[] }) | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const [, word, name, rest] = /^# (HELP|TYPE|UNIT) (\S+) (.+)$/.exec(line) ?? [];
    if (word === "HELP") {
      help = { name, text: rest };
    } else if (word === "TYPE") {
      if (help?.name !== name) throw new SyntaxError(`${name} has no HELP before its TYPE`);
      if (families.has(name)) throw new SyntaxError(`${name} comes twice`);
      family = { name, help: help.text, type: expectType(rest), samples: [] };
      families.set(name, family);
    } else if (word === undefined && line !== "# no registered metrics") {
      const sample = readSample(line);
      const base = family?.type === "histogram"
        ? sample.name.replace(/_(bucket|sum|count)$/, "")
        : sample.name;
      if (family?.name !== base) throw new SyntaxError(`It stands apart from its TYPE: ${line}`);
      family.samples.push(sample);
    }
  }
  for (const family of families.values()) check(family);
  return families;
}

function expectType(type: string): Type {
  if (type === "counter" || type === "gauge" || type === "histogram") return type;
  throw new SyntaxError(`There is no type ${type}`);
}

function readSample(line: string): Sample {
  const [, name, labels, value] =
    /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([+-]?(?:\d[\d.e+-]*|Inf)|NaN)$/.exec(line) ?? [];
  if (name === undefined) throw new SyntaxError(`It is no sample: ${line}`);
  return {
    name,
    labels: readLabels(labels ?? "", line),
    value: Number(value.replace("Inf", "Infinity")),
  };
}

function readLabels(text: string, line: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  const pair = /([a-zA-Z_]\w*)="((?:[^"\\]|\\[\\"n])*)"(?:,|$)/y;
  while (pair.lastIndex < text.length) {
    const [, name, value] = pair.exec(text) ?? [];
    if (name === undefined || name in labels) throw new SyntaxError(`Its labels are odd: ${line}`);
    labels[name] = value.replaceAll(/\\(.)/g, (_, one) => one === "n" ? "\n" : one);
  }
  return labels;
}

function check({ name, type, samples }: Family): void {
  const seen = new Set(samples.map((sample) => JSON.stringify([sample.name, sample.labels])));
  if (seen.size < samples.length) throw new SyntaxError(`${name} has a sample twice`);
  if (type === "counter" && !name.endsWith("_total")) throw new SyntaxError(`${name}: no _total`);
  if (type !== "histogram") return;
  for (const { labels, value: count } of samples.filter((one) => one.name === `${name}_count`)) {
    const buckets = samples.filter(({ name: is, labels: { le, ...rest } }) =>
      is === `${name}_bucket` && le !== undefined && same(rest, labels)
    );
    const values = buckets.map(({ value }) => value);
    const rising = values.every((value, i) => i === 0 || value >= values[i - 1]);
    const infinite = buckets.at(-1)?.labels.le === "+Inf" && values.at(-1) === count;
    if (!rising || !infinite) throw new SyntaxError(`${name} has odd buckets`);
  }
}

function same(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}
