// What a run of the benchmark shares: the contestants' processes, the inputs, the machine, and the file of results.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { judge } from './bars.mjs';
import { chart } from './chart.mjs';
import { Contestant } from './contestant.mjs';
import { Inputs } from './inputs.mjs';
import { machine } from './machine.mjs';
import { rivals, SERVE } from './rivals.mjs';
import { contest } from './rounds.mjs';
import { markdown } from './table.mjs';

const OURS = fileURLToPath(new URL('serve.mjs', import.meta.url));

export class Bench {
  #made = [];
  #rivals;
  #cache;
  #results = {};

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
      limit: options.quick ? 120 : 900,
      groups,
      note: (text) => bench.say(text),
    });
    const { reason, missing = {} } = bench.#rivals;
    if (reason) bench.say(`no rival runs: ${reason}`);
    for (const [group, why] of Object.entries(missing)) bench.say(`no ${group}: ${why}`);
    return bench;
  }

  /** A process of stainfold. */
  ours(given) {
    return this.#start([process.execPath, OURS], given);
  }

  /** A process of Python with what a group needs; undefined where that is missing. */
  python(group = 'torch', given) {
    return this.missing(group) === undefined ? this.#start([this.#rivals.python, SERVE], given) : undefined;
  }

  /** Why a group of rivals cannot be had; undefined where it can. */
  missing(group) {
    return this.#rivals.reason ?? this.#rivals.missing[group];
  }

  /** The machine's ceiling as an entrant: products of matrices. `worth`: operations of one run of ours. */
  gemm(contestant, worth, threads = this.threads) {
    const { device } = this;
    const given = device === 'cpu' ? { n: 2048, precision: 'fp32' } : { n: 8192, precision: 'bf16' };
    return this.#ceiling(`${given.precision} GEMM`, contestant, worth, {
      ...given,
      rival: 'gemm',
      threads,
      device,
    });
  }

  /** The same of the memory: a copy, far larger than the caches. `worth`: bytes that one run of ours must read and write. */
  copy(contestant, worth, threads = this.threads) {
    return this.#ceiling('memory copy', contestant, worth, {
      rival: 'copy',
      bytes: 2 ** 29,
      threads,
      device: this.device,
    });
  }

  #ceiling(name, contestant, worth, given) {
    return {
      name,
      contestant,
      task: 'ceiling',
      case: given,
      ceiling: worth,
      unavailable: this.missing('torch'),
    };
  }

  #start(command, { threads: count = this.threads, env = {} } = {}) {
    const threads = String(count);
    const contestant = new Contestant(command, {
      OMP_NUM_THREADS: threads,
      MKL_NUM_THREADS: threads,
      OPENBLAS_NUM_THREADS: threads,
      TORCHINDUCTOR_CACHE_DIR: join(this.#cache, 'bench', 'inductor'),
      PYTHONDONTWRITEBYTECODE: '1',
      ...env,
    });
    this.#made.push(contestant);
    return contestant;
  }

  /** contest() of rounds.mjs with as much patience as this run has. */
  contest(entrants, options) {
    return contest(entrants, { patience: this.patience, ...options });
  }

  /** Whether a case is wanted. */
  wants(name) {
    return this.case === undefined || name.includes(this.case);
  }

  async run(name, section) {
    const begun = performance.now();
    let rows;
    try {
      rows = await section(this);
    } finally {
      this.close();
    }
    const seconds = Math.round((performance.now() - begun) / 1000);
    this.say(`${name}: ${seconds} s`);
    this.#results[name] = {
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
    // After each section: a run that is stopped has kept what it had.
    if (this.case === undefined) await this.#write();
  }

  /** What every bar came to, in the sections that ran. */
  verdicts() {
    return judge(this.#results, this.device);
  }

  async #write() {
    const { device, out } = this;
    mkdirSync(out, { recursive: true });
    const stem = join(out, device === 'cpu' ? 'bench' : 'bench-gpu');
    const before =
      !this.quick && existsSync(`${stem}.json`)
        ? JSON.parse(readFileSync(`${stem}.json`, 'utf8')).sections
        : {};
    const sections = inOrder({ ...before, ...this.#results });
    const results = { device, sections };
    writeFileSync(`${stem}.json`, `${JSON.stringify(results, (_, value) => rounded(value), 1)}\n`);
    writeFileSync(`${stem}.md`, markdown(results));
    const picture = await chart(results);
    if (picture !== undefined) writeFileSync(`${stem}.svg`, `${picture}\n`);
  }

  close() {
    for (const contestant of this.#made.splice(0)) contestant.kill();
  }

  say(text) {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    console.log(text);
  }

  progress(text) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`.slice(0, process.stderr.columns));
  }
}

const ORDER = ['embed', 'loss', 'stain', 'train', 'pipeline'];
const inOrder = (sections) =>
  Object.fromEntries(ORDER.filter((name) => name in sections).map((name) => [name, sections[name]]));

/** Five digits say all that a measurement knows. */
const rounded = (value) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
