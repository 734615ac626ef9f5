/**
 * A worker's own dependencies, around those of every task.
 *
 * @module
 */

import type { AnyDependency, Dependencies } from "../dependencies/dependency.ts";
import type { Definition } from "../docket/task.ts";

/** Makes definitions of which a worker's own dependencies are part. */
export class Around {
  readonly #own: Dependencies;
  readonly #known = new WeakMap<Definition, Definition>();

  /** These are opened first, and closed last. */
  constructor(own: Dependencies) {
    this.#own = own;
  }

  /** The task's own wins: over one of the same name, and over one that is the same policy. */
  of(definition: Definition): Definition {
    if (Object.keys(this.#own).length === 0) return definition;
    let known = this.#known.get(definition);
    if (!known) this.#known.set(definition, known = this.#merge(definition));
    return known;
  }

  #merge(definition: Definition): Definition {
    const { dependencies } = definition;
    const theirs = Object.values<AnyDependency>(dependencies);
    const policies = new Set(theirs.map(({ policy }) => policy));
    const ours = Object.entries<AnyDependency>(this.#own).filter(([name, { policy, mayDrop }]) =>
      !Object.hasOwn(dependencies, name) && (policy === undefined || !policies.has(policy)) &&
      !(mayDrop && definition.chain.length > 0) // a dropped run would end the chain
    );
    const added = ours.map(([, dependency]) => dependency);
    return {
      ...definition,
      dependencies: { ...Object.fromEntries(ours), ...dependencies },
      bare: definition.bare && added.length === 0,
      gates: [...definition.gates, ...added.filter(({ gate }) => gate)],
      deciders: [...definition.deciders, ...added.filter(({ decide }) => decide)],
      chain: [...definition.chain, ...added.filter(({ succeed }) => succeed)],
    };
  }
}
