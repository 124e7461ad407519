// npm run bench [-- --quick] [--only embed,loss] [--case TEXT] [--threads N] [--out FOLDER] [--again]
//
// Every hot path beside its rivals, in one run: each contestant a process of its own, in turns, with the same weights, inputs, batch and
// number of threads. Writes bench.json, bench.md and bench.svg; sections that were not asked for keep what the file holds.
//   --quick    a minute and a half: a few small cases, and exit code 1 where a ratio lies far below its bar
//   --only     sections: see SECTIONS below
//   --case     only the cases whose name holds the text; their figures are printed and not kept
//   --again    make the rivals' Python environment anew
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Bench } from './bench/bench.mjs';
import { asCommand, Refusal, ROOT } from './command.mjs';

/** Name, and the module whose function of that name runs it. */
export const SECTIONS = {
  embed: './bench/embed.mjs',
};

asCommand(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      case: { type: 'string' },
      threads: { type: 'string' },
      device: { type: 'string', default: 'cpu' },
      out: { type: 'string' },
      again: { type: 'boolean', default: false },
    },
  });
  const names = values.only?.split(',') ?? Object.keys(SECTIONS);
  for (const name of names) {
    if (!(name in SECTIONS))
      throw new Refusal(`there is no section '${name}': ${Object.keys(SECTIONS).join(', ')}`);
  }
  const bench = await Bench.open({
    ...values,
    threads: values.threads ? Number(values.threads) : availableParallelism(),
    out: resolve(values.out ?? join(ROOT, values.quick ? 'build/bench' : 'docs/results')),
  });
  try {
    for (const name of names) {
      const section = (await import(SECTIONS[name]))[name];
      await bench.run(name, section);
    }
  } finally {
    bench.close();
  }
});
