// npm run gpu -- --pack FILE   the archive that a GPU machine without a network needs
// npm run gpu -- --out DIR     on such a machine, within ten minutes: builds the CUDA variant, runs its tests on the GPU, the benchmark
//                              beside the rivals that are there, and the kernels under compute-sanitizer
//   --seconds  for all of it (570); every stage has a limit of its own, and DIR/figures.json is written after each
//   --only     stages, separated by commas: build, kernels, loss, embed, pipeline, train, stain, sanitize, tests, addon
//   --dry-run  says what is there, what is missing and what would be run, and runs nothing
//   --device   cpu tries the script itself where there is no GPU; its figures say nothing
//
// On the GPU machine (nvcc, CMake, a C++20 compiler, Python with a CUDA build of torch 2.11 to 2.14; nothing is downloaded):
//   tar -xf FILE && cd stainfold && LIBTORCH_USE_PYTORCH=1 ./node/bin/node scripts/gpu.mjs --out results
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { asCommand, Refusal, ROOT } from './command.mjs';
import { gpus, toolsOf } from './gpu/machine.mjs';
import { pack } from './gpu/pack.mjs';
import { Stages } from './gpu/stages.mjs';
import { addonTests, bench, build, kernels, nativeTests, sanitize } from './gpu/work.mjs';

/** In the order in which they are worth having. `least`: seconds without which a stage need not begin. */
const STAGES = {
  build: { most: 300, least: 60, work: build },
  kernels: { most: 40, least: 10, work: kernels },
  loss: { most: 120, least: 40, work: bench('loss') },
  embed: { most: 210, least: 60, work: bench('embed') },
  pipeline: { most: 80, least: 30, work: bench('pipeline') },
  train: { most: 80, least: 30, work: bench('train') },
  stain: { most: 60, least: 20, work: bench('stain') },
  sanitize: { most: 90, least: 20, work: sanitize },
  tests: { most: 180, least: 20, work: nativeTests },
  addon: { most: 120, least: 20, work: addonTests },
};

/** { libtorch, archs, ... } of the build; undefined before there is one. */
function builtAs(variant) {
  const path = join(ROOT, 'build', 'native', variant, 'build.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

asCommand(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      out: { type: 'string' },
      pack: { type: 'string' },
      seconds: { type: 'string', default: '570' },
      only: { type: 'string' },
      device: { type: 'string', default: 'cuda' },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  if (values.pack) return pack(values.pack);
  if (!values.out && !values['dry-run'])
    throw new Refusal('give --out DIR (run here) or --pack FILE (make the archive for a GPU machine)');
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new Refusal(`--seconds takes a number above 0, got '${values.seconds}'`);
  if (!['cuda', 'cpu'].includes(values.device))
    throw new Refusal(`--device takes cuda or cpu, got '${values.device}'`);
  const names = values.only?.split(',') ?? Object.keys(STAGES);
  for (const name of names) {
    if (!(name in STAGES))
      throw new Refusal(`there is no stage '${name}': ${Object.keys(STAGES).join(', ')}`);
  }

  const devices = gpus();
  const variant = values.device === 'cpu' ? 'cpu' : 'cu130';
  const tools = toolsOf();
  for (const [tool, found] of Object.entries(tools)) console.log(`${tool}: ${found ?? 'missing'}`);
  for (const { name, driver, memory } of devices) console.log(`${name}, driver ${driver}, ${memory}`);
  if (values['dry-run']) {
    for (const name of names) console.log(`${name}: at most ${STAGES[name].most} s`);
    return;
  }
  if (devices.length === 0 && values.device !== 'cpu')
    throw new Refusal('no NVIDIA GPU was found (nvidia-smi). Run this on a machine that has one.');

  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  process.env.STAINFOLD_VARIANT = variant;
  // As it is: nothing can be installed where there is no network, and trying takes time.
  if (tools.python) process.env.STAINFOLD_BENCH_PYTHON ??= tools.python;
  const figuresFile = join(out, 'figures.json');
  // Stages of an earlier call stay, unless they run again.
  const before = existsSync(figuresFile) ? JSON.parse(readFileSync(figuresFile, 'utf8')).stages : {};
  const stages = new Stages({
    seconds,
    write: (report) => {
      // Whether it was there, not where: figures are for others to read.
      const had = Object.fromEntries(
        Object.entries(tools).map(([tool, found]) => [tool, found !== undefined]),
      );
      const figures = {
        devices,
        node: process.version,
        torch: tools.torch,
        build: builtAs(variant),
        tools: had,
        stages: { ...before, ...report },
      };
      writeFileSync(figuresFile, `${JSON.stringify(figures, null, 2)}\n`);
    },
  });
  const given = { variant, device: values.device, tools, devices, out, root: ROOT };
  for (const name of names) {
    const { most, least, work } = STAGES[name];
    const { status } = await stages.run(name, { most, least }, (limit) => work(given, limit));
    if (name === 'build' && status !== 'passed') break;
  }
  // A tool that the machine does not have is told, and is nobody's failure.
  const bad = Object.entries(stages.report).filter(
    ([, { status }]) => !['passed', 'missing'].includes(status),
  );
  console.log(`${figuresFile} is written`);
  if (bad.length > 0) throw new Refusal(bad.map(([name, { status }]) => `${name}: ${status}`).join('; '));
});
