/**
 * What must not run: rules about a task, a parameter or both, and whether an execution matches one.
 *
 * @module
 */

import { defaultCodec, isPlain, parseJson } from "./codec.ts";
import { canonical, compare, isObject, isRanked, type Test, testOf, textOf } from "./comparison.ts";
import { messageOf, ProtocolError } from "./errors.ts";
import { refuseUnknownOptions } from "./options.ts";

/**
 * How an argument is compared with the value of a strike. `==` and `!=` compare type and value: `1`, `"1"` and `1n`
 * differ, `NaN` is `NaN`, -0 is 0, and objects, lists, maps and sets are compared by what they hold. The others compare
 * two numbers, bigints, strings (by their UTF-16 units), `Date`s, or instants of one kind of Temporal. `"between"` takes
 * `[low, high]`, both included.
 */
export type StrikeOperator = "==" | "!=" | ">" | ">=" | "<" | "<=" | "between";

/** Which executions are skipped: those of a task, those with an argument, or those of a task with an argument. */
export interface Strike {
  /** The name of the task; every task when absent. Never absent together with `parameter`. */
  readonly task?: string;
  /**
   * The name of a parameter, or a path into it such as `order.customerId`. A parameter without a name is called by its
   * position, from `"0"`. An argument that is absent matches nothing, not even `!=`.
   */
  readonly parameter?: string;
  /**
   * How to compare the argument with `value`.
   *
   * @default "=="
   */
  readonly operator?: StrikeOperator;
  /** What to compare the argument with. There whenever `parameter` is; `undefined` is a value. */
  readonly value?: unknown;
}

/** What {@linkcode Strikes} reports to: the program's log. */
export type Warn = (message: string, properties: Record<string, unknown>) => void;

const FIELDS = { task: true, parameter: true, operator: true, value: true } as const;

const OPERATORS: ReadonlySet<unknown> = new Set<StrikeOperator>(
  ["==", "!=", ">", ">=", "<", "<=", "between"],
);

/**
 * The text under which a strike is stored. Equal strikes give the same text, whatever the order of their fields and of
 * the fields of their value, so that a set of texts holds each of them once (invariant 57).
 *
 * @throws {TypeError} When it names neither a task nor a parameter, or its fields do not fit together.
 * @throws {RangeError} When the low end of a `"between"` is above its high end.
 */
export function toRule(strike: Strike): string {
  const { strike: { task, parameter, operator }, value } = check(strike);
  return JSON.stringify(
    parameter === undefined ? [task] : [task ?? null, parameter, operator, value],
  );
}

/**
 * The strike of a stored text.
 *
 * @throws {ProtocolError} When it is not one, or this runtime cannot read its value.
 */
export function fromRule(text: string): Strike {
  return read(text).strike;
}

/**
 * The strikes of a docket, indexed: a task that none of them is about costs one look-up, and any number of `==` on one
 * parameter another one.
 */
export class Strikes {
  readonly #strikes: readonly Strike[];
  readonly #wholeTasks = new Map<string, Strike>();
  readonly #byTask = new Map<string, TaskRules>();
  readonly #everyTask: TaskRules;
  readonly #warn: Warn;
  readonly #reported = new Set<Strike>();

  /**
   * Reads stored rules. Those that cannot be read are skipped, and reported together, once: one of them must not shield
   * the rest (invariant 69).
   */
  constructor(rules: readonly string[], warn: Warn) {
    this.#warn = warn;
    this.#everyTask = this.#newRules();
    const readable = readAll(new Set(rules), warn);
    for (const rule of readable) this.#file(rule);
    this.#strikes = readable.map(({ strike }) => strike);
  }

  /** Whether nothing is struck. */
  get empty(): boolean {
    return this.#strikes.length === 0;
  }

  /** Each strike once, in the order of the rules. */
  list(): Strike[] {
    return [...this.#strikes];
  }

  /** Whether the task is struck as a whole: all that can be told without the names of its parameters. */
  strikesTask(task: string): boolean {
    return this.#wholeTasks.has(task);
  }

  /**
   * The first strike that an execution matches: of the whole task, then of its parameters, then of those of every task.
   * `names` are the task's parameters; arguments beyond them are called by position.
   *
   * Never throws. An argument that cannot be compared matches nothing, and is reported once for a strike, without its
   * value (invariants 58 and 85).
   */
  find(task: string, names: readonly string[], args: readonly unknown[]): Strike | undefined {
    return this.#wholeTasks.get(task) ??
      this.#byTask.get(task)?.find(task, names, args) ??
      this.#everyTask.find(task, names, args);
  }

  #file(rule: Rule): void {
    const { task, parameter } = rule.strike;
    if (task === undefined) return this.#everyTask.add(rule);
    if (parameter === undefined) return void this.#wholeTasks.set(task, rule.strike);
    let rules = this.#byTask.get(task);
    if (!rules) this.#byTask.set(task, rules = this.#newRules());
    rules.add(rule);
  }

  #newRules(): TaskRules {
    return new TaskRules((task, strike) => this.#report(task, strike));
  }

  #report(task: string, strike: Strike): void {
    if (this.#reported.has(strike)) return;
    this.#reported.add(strike);
    const { parameter, operator } = strike;
    this.#warn(
      "Cannot tell whether {task} is struck: its {parameter} cannot be compared by {operator}",
      { task, parameter, operator },
    );
  }
}

/** A strike that was checked, and the text of its value. Equal values have the same text. */
interface Rule {
  readonly strike: Strike;
  readonly value?: string;
}

/** Fills in the operator and brings the value into its one form. */
function check(given: Strike): Rule {
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`Cannot strike ${quote(given)}: give an object with a task or a parameter`);
  }
  refuseUnknownOptions("a strike", given, FIELDS);
  const { task, parameter, operator = "==", value } = given;
  checkName("task", task);
  checkName("parameter", parameter);
  if (parameter === undefined) {
    if (given.operator !== undefined || value !== undefined) {
      throw new TypeError("Cannot strike by a value alone: name the parameter to compare it with");
    }
    if (task === undefined) {
      throw new TypeError("Cannot strike everything: name a task or a parameter");
    }
    return { strike: { task } };
  }
  if (!OPERATORS.has(operator)) {
    throw new TypeError(
      `Cannot use ${quote(operator)} for "operator": it must be one of ${
        [...OPERATORS].join(", ")
      }`,
    );
  }
  if (!("value" in given)) {
    throw new TypeError(`Cannot strike by "${parameter}" without a value: give it as "value"`);
  }
  const { form, text } = formOf(value, parameter);
  checkValue(operator, form);
  const strike = { parameter, operator, value: form };
  return { strike: task === undefined ? strike : { task, ...strike }, value: text };
}

function checkName(field: string, name: unknown): void {
  if (name === undefined || (typeof name === "string" && name !== "")) return;
  throw new TypeError(`Cannot use ${quote(name)} for "${field}": it must be a name`);
}

function formOf(value: unknown, parameter: string): { form: unknown; text: string } {
  try {
    if (value instanceof Date && Number.isNaN(value.getTime())) {
      throw new TypeError("it is no date");
    }
    const form = canonical(value);
    return { form, text: defaultCodec.encode(form) };
  } catch (cause) {
    throw new TypeError(
      `Cannot strike by "${parameter}": its value cannot be compared: ${messageOf(cause)}`,
      { cause },
    );
  }
}

function checkValue(operator: StrikeOperator, value: unknown): void {
  if (operator === "==" || operator === "!=") return;
  if (operator !== "between") {
    if (isRanked(value)) return;
    throw new TypeError(`Cannot use ${quote(value)} for "value": "${operator}" needs ${RANKED}`);
  }
  const [low, high] = Array.isArray(value) && value.length === 2 ? value : [];
  const order = compare(low, high);
  if (order === undefined) {
    throw new TypeError(
      `Cannot use ${quote(value)} for "value": "between" needs [low, high], each ${RANKED}`,
    );
  }
  if (order > 0) {
    throw new RangeError(
      `Cannot use [${quote(low)}, ${quote(high)}] for "value": its low end is above its high end`,
    );
  }
}

const RANKED = "a number, a bigint, a string, a valid Date or an instant of Temporal";

function quote(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 100));
  if (value === null || ["undefined", "number", "boolean"].includes(typeof value)) {
    return String(value);
  }
  return Array.isArray(value) ? `a list of ${value.length}` : `a value of type ${typeof value}`;
}

function readAll(texts: Iterable<string>, warn: Warn): Rule[] {
  const readable: Rule[] = [];
  const reasons: string[] = [];
  for (const text of texts) {
    try {
      readable.push(read(text));
    } catch (error) {
      reasons.push(messageOf(error));
    }
  }
  const [reason] = reasons;
  // The texts themselves hold arguments, which are not for the log (invariant 85).
  if (reason) warn("Skipped {count} strikes: {reason}", { count: reasons.length, reason });
  return readable;
}

function read(text: string): Rule {
  try {
    return check(parse(text));
  } catch (cause) {
    throw new ProtocolError("Cannot read a stored strike: this version does not know its form", {
      cause,
    });
  }
}

function parse(text: string): Strike {
  const parts = parseJson(text);
  if (Array.isArray(parts) && parts.length === 1) return { task: parts[0] };
  if (!Array.isArray(parts) || parts.length !== 4) throw new TypeError("it is no list of 1 or 4");
  const [task, parameter, operator, value] = parts;
  return { task: task ?? undefined, parameter, operator, value: defaultCodec.decode(value) };
}

/** The rules about parameters, of one task or of every task. */
class TaskRules {
  readonly #parameters = new Map<string, ParameterRules>();
  readonly #report: (task: string, strike: Strike) => void;
  /** Looked up once for each list of names: a task always comes with the same one. */
  readonly #places = new WeakMap<readonly string[], readonly Place[]>();

  constructor(report: (task: string, strike: Strike) => void) {
    this.#report = report;
  }

  add(rule: Rule): void {
    const { parameter } = rule.strike as { readonly parameter: string };
    const rules = this.#parameters.get(parameter);
    if (rules) rules.add(rule);
    else this.#parameters.set(parameter, new ParameterRules(rule));
  }

  find(task: string, names: readonly string[], args: readonly unknown[]): Strike | undefined {
    if (this.#parameters.size === 0) return undefined;
    for (const { position, steps, rules } of this.#placesOf(names)) {
      if (position >= args.length) continue;
      const report = (strike: Strike) => this.#report(task, strike);
      try {
        const value = follow(args[position], steps);
        const found = value === ABSENT ? undefined : rules.find(value, report);
        if (found) return found;
      } catch {
        report(rules.first); // a getter or a proxy threw on the way
      }
    }
    return undefined;
  }

  #placesOf(names: readonly string[]): readonly Place[] {
    let places = this.#places.get(names);
    if (!places) {
      places = [...this.#parameters].flatMap(([parameter, rules]) => {
        const place = placeOf(parameter, names);
        return place ? [{ ...place, rules }] : [];
      });
      this.#places.set(names, places);
    }
    return places;
  }
}

/** Where the rules about a parameter find its value. */
interface Place {
  readonly position: number;
  readonly steps: readonly string[];
  readonly rules: ParameterRules;
}

/** The longest name that the path begins with: a name may have dots of its own. */
function placeOf(path: string, names: readonly string[]): Omit<Place, "rules"> | undefined {
  for (let end = path.length; end > 0; end = path.lastIndexOf(".", end - 1)) {
    const name = path.slice(0, end);
    const known = names.indexOf(name);
    const position = known < 0 && isIndex(name) ? Number(name) : known;
    if (known < 0 && position < names.length) continue; // what has a name is not called by position
    return { position, steps: end === path.length ? [] : path.slice(end + 1).split(".") };
  }
  return undefined;
}

/** Stands for what is not there: `undefined` may be. */
const ABSENT = Symbol("absent");

function follow(start: unknown, steps: readonly string[]): unknown {
  let value = start;
  for (const step of steps) {
    value = memberOf(value, step);
    if (value === ABSENT) break;
  }
  return value;
}

/** Only what a value itself holds: `constructor` and `__proto__` are names like any other. */
function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return ABSENT;
  if (value instanceof Map) return value.has(name) ? value.get(name) : ABSENT;
  const open = Array.isArray(value) ? isIndex(name) : isPlain(Object.getPrototypeOf(value));
  return open && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : ABSENT;
}

function isIndex(name: string): boolean {
  return /^(?:0|[1-9]\d{0,8})$/.test(name);
}

/** The rules about one parameter: all the `==` together, the others one by one. */
class ParameterRules {
  /** Speaks for all of them where no single one is at fault. */
  readonly first: Strike;
  readonly #equals = new Map<string, Strike>();
  /** Whether any `==` asks for an object: if none does, no object needs to be encoded. */
  #equalsObject = false;
  readonly #others: { readonly strike: Strike; readonly test: Test }[] = [];

  constructor(rule: Rule) {
    this.first = rule.strike;
    this.add(rule);
  }

  add({ strike, value = "" }: Rule): void {
    if (strike.operator !== "==") {
      this.#others.push({ strike, test: testOf(strike, value) });
      return;
    }
    this.#equals.set(value, strike);
    this.#equalsObject ||= isObject(strike.value);
  }

  find(value: unknown, report: (strike: Strike) => void): Strike | undefined {
    if (this.#equals.size > 0 && (this.#equalsObject || !isObject(value))) {
      const text = textOf(value);
      const found = text === undefined ? undefined : this.#equals.get(text);
      if (found) return found;
      if (text === undefined) report(this.first);
    }
    for (const { strike, test } of this.#others) {
      const matches = test(value);
      if (matches) return strike;
      if (matches === undefined) report(strike);
    }
    return undefined;
  }
}
