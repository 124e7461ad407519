// Runs one job in a process of its own and tells what happens as lines of JSON on stdout.
import { writeSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { loadEncoder, train } from '../../lib/index.js';

const [job, json] = process.argv.slice(2);
const options = JSON.parse(json);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const rss = () => process.memoryUsage.rss();

/** Ends this process, or its worker, in the way that is asked for; whoever waits is told first, past every buffer. */
const ENDINGS = {
  exit: () => process.exit(7),
  uncaught: () =>
    setImmediate(() => {
      throw new Error('thrown on purpose');
    }),
  rejection: () => void Promise.reject(new Error('rejected on purpose')),
  signal: () => undefined, // by whoever reads the line
};
function endAt({ step, how }) {
  return (done) => {
    if (done !== step) return;
    writeSync(1, '{"ending":true}\n');
    ENDINGS[how]();
  };
}

async function trainJob() {
  const { end, ...rest } = options;
  const controller = new AbortController();
  const ending = end && endAt(end);
  // Who tests what signals do by themselves wants no listener.
  if (end === undefined) process.on('SIGINT', () => controller.abort(new Error('interrupted')));
  const onProgress = ({ step, steps, loss }) => {
    say({ step, steps, loss, rss: rss(), time: performance.now() });
    ending?.(step);
  };
  const { unreadable, ...result } = await train({ ...rest, signal: controller.signal, onProgress });
  say({ result });
}

/** A job of this file in a worker, which is ended after a step: `terminate`, or `exit` with a process of its own. */
async function workerJob() {
  const { of, end, ...rest } = options;
  const script = new URL('./child-worker.js', import.meta.url);
  const worker = new Worker(script, { workerData: { of, options: rest, end } });
  const code = new Promise((done) => worker.once('exit', done));
  worker.on('error', (error) => say({ error: { message: error.message } }));
  for await (const step of steps(worker)) {
    if (step !== end.step) continue;
    writeSync(1, '{"ending":true}\n');
    if (end.how === 'terminate') await worker.terminate();
    if (end.how === 'main exits') process.exit(7);
    break;
  }
  say({ result: { code: await code } });
}

async function* steps(worker) {
  const { on } = await import('node:events');
  for await (const [step] of on(worker, 'message')) yield step;
}

async function embedJob() {
  const { model, tile, count, end, ...rest } = options;
  const ending = end && endAt(end);
  const encoder = await loadEncoder(model, rest);
  function* tiles() {
    for (let i = 0; i < count; i++) yield tile;
  }
  const onProgress = (done) => {
    say({ step: done, steps: count, rss: rss(), time: performance.now() });
    ending?.(done);
  };
  const { shape } = await encoder.embed(tiles(), { onProgress });
  say({ result: { shape } });
}

/** The event loop's delay beyond its timer's period, while `run` runs. */
async function lagOf(run) {
  const period = 1;
  const histogram = monitorEventLoopDelay({ resolution: period });
  histogram.enable();
  await run();
  histogram.disable();
  const milliseconds = (percentile) => histogram.percentile(percentile) / 1e6 - period;
  return { p50: milliseconds(50), p99: milliseconds(99), max: histogram.max / 1e6, samples: histogram.count };
}

/** And what the machine does to an event loop that has nothing to do, before and afterwards. */
async function withLag(run) {
  const quiet = () => lagOf(() => new Promise((done) => setTimeout(done, 500)));
  const before = await quiet();
  const lag = await lagOf(run);
  const after = await quiet();
  say({ lag: { ...lag, idle: Math.max(before.p99, after.p99) } });
}

/** Ends with everything loaded and nothing to do: how long that takes on this machine now. */
async function idleJob() {
  await loadEncoder('phantom-tiny', { device: 'cpu', threads: 1 });
  writeSync(1, '{"ending":true}\n');
  process.exit(7);
}

const jobs = { train: trainJob, embed: embedJob, worker: workerJob, idle: idleJob };
try {
  // Who tests how it ends wants no measurements.
  await (options.end || job === 'idle' ? jobs[job]() : withLag(jobs[job]));
} catch (error) {
  say({ error: { code: error.code, message: error.message } });
  process.exitCode = 1;
}
