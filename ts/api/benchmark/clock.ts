/** How long the rest of a benchmark will take, from how long its finished runs took. */
import type { BenchmarkCount } from '../../types.js';
import { isTranslator, type RowSpec } from './rows.js';

type Kind = 'reference' | 'trained' | 'translated';

const kindOf = ({ reference, tiles }: RowSpec): Kind =>
  reference ? 'reference' : isTranslator(tiles) ? 'translated' : 'trained';

export class Clock {
  readonly #specs: readonly RowSpec[];
  readonly #taken: Record<Kind, number[]> = { reference: [], trained: [], translated: [] };
  /** Runs that are over, also those that were found done. */
  #done = 0;
  #begun = 0;
  #part = 0;

  /** `specs`: of each run, in the order they are run. */
  constructor(specs: readonly RowSpec[]) {
    this.#specs = specs;
  }

  begin(): void {
    this.#begun = performance.now();
    this.#part = 0;
  }

  /** @param part Of the whole run, 0 to 1. */
  advance(part: number): void {
    this.#part = part;
  }

  /** @param seconds What the run took, now or earlier; undefined where that tells nothing (it failed). */
  end(seconds: number | undefined): void {
    const spec = this.#specs[this.#done++];
    if (spec !== undefined && seconds !== undefined) this.#taken[kindOf(spec)].push(seconds);
    this.#begun = 0;
    this.#part = 0;
  }

  count(): BenchmarkCount {
    const total = this.#specs.length;
    const elapsed = this.#begun === 0 ? 0 : (performance.now() - this.#begun) / 1000;
    const running = this.#specs[this.#done];
    // The present run tells of its kind where none of that kind is over, once a part of it is done that is worth a guess.
    const present = this.#part > 0.02 ? elapsed / this.#part : undefined;
    const cost = (spec: RowSpec): number | undefined => {
      const kind = kindOf(spec);
      const own = average(this.#taken[kind]);
      const here = running !== undefined && kindOf(running) === kind ? present : undefined;
      // A translated row costs more than a trained one: that much is known before the first is over.
      return own ?? here ?? (kind === 'trained' ? undefined : average(this.#taken.trained));
    };
    const costs = this.#specs.slice(this.#done).map(cost);
    const known = costs.every((value) => value !== undefined);
    const sum = costs.reduce<number>((all, value) => all + (value ?? 0), 0);
    return { done: this.#done, total, secondsLeft: known ? Math.max(0, sum - elapsed) : null };
  }
}

function average(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
