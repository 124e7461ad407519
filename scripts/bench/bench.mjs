// What a run of the benchmark shares: the contestants' processes, the inputs, the machine, and the file of results.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Contestant } from './contestant.mjs';
import { Inputs } from './inputs.mjs';
import { machine } from './machine.mjs';
import { rivals, SERVE } from './rivals.mjs';

const OURS = fileURLToPath(new URL('serve.mjs', import.meta.url));

export class Bench {
  #made = [];
  #rivals;
  #cache;

  static async open(options) {
    const { loadNative } = await import('../../lib/internal/load.js');
    const { cacheFolder } = await import('../../lib/libtorch/host.js');
    const native = await loadNative();
    const bench = new Bench();
    Object.assign(bench, options, { native, inputs: new Inputs(native), status: native.status() });
    bench.#cache = cacheFolder();
    const groups = options.quick ? ['numpy', 'onnxruntime', 'torch'] : undefined;
    bench.#rivals = rivals({
      cache: bench.#cache,
      torch: bench.status.libtorch.split('+')[0],
      again: options.again,
      groups,
      note: (text) => bench.say(text),
    });
    const { reason, missing = {} } = bench.#rivals;
    if (reason) bench.say(`no rival runs: ${reason}`);
    for (const [group, why] of Object.entries(missing)) bench.say(`no ${group}: ${why}`);
    return bench;
  }

  /** A process of stainfold. */
  ours() {
    return this.#start([process.execPath, OURS]);
  }

  /** A process of Python with what a group needs; undefined where that is missing. */
  python(group = 'torch') {
    return this.missing(group) === undefined ? this.#start([this.#rivals.python, SERVE]) : undefined;
  }

  /** Why a group of rivals cannot be had; undefined where it can. */
  missing(group) {
    return this.#rivals.reason ?? this.#rivals.missing[group];
  }

  #start(command) {
    const threads = String(this.threads);
    const contestant = new Contestant(command, {
      OMP_NUM_THREADS: threads,
      MKL_NUM_THREADS: threads,
      OPENBLAS_NUM_THREADS: threads,
      TORCHINDUCTOR_CACHE_DIR: join(this.#cache, 'bench', 'inductor'),
      PYTHONDONTWRITEBYTECODE: '1',
    });
    this.#made.push(contestant);
    return contestant;
  }

  /** Whether a case is wanted. */
  wants(name) {
    return this.case === undefined || name.includes(this.case);
  }

  async run(name, section) {
    const begun = performance.now();
    const rows = await section(this);
    for (const contestant of this.#made.splice(0)) contestant.kill();
    const seconds = Math.round((performance.now() - begun) / 1000);
    this.say(`${name}: ${seconds} s`);
    if (this.case !== undefined) return;
    mkdirSync(this.out, { recursive: true });
    const file = join(this.out, 'bench.json');
    const results = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { sections: {} };
    results.sections[name] = {
      measured: new Date().toISOString().slice(0, 16),
      seconds,
      machine: machine(this.status),
      threads: this.threads,
      versions: {
        stainfold: this.status.version,
        libtorch: this.status.libtorch,
        node: process.version,
        ...this.#rivals.versions,
      },
      rows,
    };
    writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
  }

  close() {
    for (const contestant of this.#made) contestant.kill();
  }

  say(text) {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    console.log(text);
  }

  progress(text) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`.slice(0, process.stderr.columns));
  }
}
