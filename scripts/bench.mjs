// npm run bench [-- --quick] [--only embed,loss] [--case TEXT] [--threads N] [--out FOLDER] [--again]
// npm run bench:gpu         the same on an NVIDIA GPU, by its own bars: bench-gpu.json and so on
//
// Every hot path beside its rivals, in one run: each contestant a process of its own, in turns, with the same weights, inputs, batch and
// number of threads. Writes bench.json, bench.md and bench.svg; sections that were not asked for keep what the file holds.
//   --brief    what a few minutes hold: one case of each kind, for machines that are lent for ten; scripts/gpu.mjs runs it
//   --patience seconds for a rival to open, compiling included (600)
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
  loss: './bench/loss.mjs',
  stain: './bench/stain.mjs',
  train: './bench/train.mjs',
  pipeline: './bench/pipeline.mjs',
};

asCommand(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      brief: { type: 'boolean', default: false },
      patience: { type: 'string', default: '600' },
      only: { type: 'string' },
      case: { type: 'string' },
      threads: { type: 'string' },
      device: { type: 'string', default: 'cpu' },
      out: { type: 'string' },
      again: { type: 'boolean', default: false },
    },
  });
  if (!(Number(values.patience) > 0)) throw new Refusal(`--patience takes seconds, got '${values.patience}'`);
  const names = values.only?.split(',') ?? Object.keys(SECTIONS);
  for (const name of names) {
    if (!(name in SECTIONS))
      throw new Refusal(`there is no section '${name}': ${Object.keys(SECTIONS).join(', ')}`);
  }
  if (values.device !== 'cpu') process.env.STAINFOLD_VARIANT ??= 'cu130';
  const failed = [];
  const bench = await Bench.open({
    ...values,
    patience: 1000 * Number(values.patience),
    threads: values.threads ? Number(values.threads) : availableParallelism(),
    out: resolve(values.out ?? join(ROOT, values.quick ? 'build/bench' : 'docs/results')),
  });
  try {
    for (const name of names) {
      const section = (await import(SECTIONS[name]))[name];
      try {
        await bench.run(name, section);
      } catch (error) {
        // The other sections are worth having.
        console.error(error);
        failed.push(name);
      }
    }
    report(bench, values.quick);
    if (failed.length > 0) throw new Refusal(`no result of ${failed.join(', ')}`);
  } finally {
    bench.close();
  }
});

function report(bench, quick) {
  const verdicts = bench.verdicts();
  for (const { section, name, what, wanted, atMost, value, verdict, far } of verdicts) {
    const measured = value === undefined ? 'not measured' : value.toPrecision(3);
    const mark = far ? 'FAR' : verdict;
    bench.say(
      `${mark.padEnd(10)} ${section} ${name}: ${measured} ${what}, wanted ${atMost ? '<=' : '>='} ${wanted}`,
    );
  }
  const far = verdicts.filter((verdict) => verdict.far);
  if (quick && far.length > 0)
    throw new Refusal(`${far.length} of ${verdicts.length} figures lie far below their bars`);
}
