// Runs one job in a process of its own and tells what happens as lines of JSON on stdout.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { loadEncoder, train } from '../../lib/index.js';

const [job, json] = process.argv.slice(2);
const options = JSON.parse(json);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const rss = () => process.memoryUsage.rss();

async function trainJob() {
  const controller = new AbortController();
  process.on('SIGINT', () => controller.abort(new Error('interrupted')));
  const onProgress = ({ step, steps, loss }) =>
    say({ step, steps, loss, rss: rss(), time: performance.now() });
  const { unreadable, ...result } = await train({ ...options, signal: controller.signal, onProgress });
  say({ result });
}

async function embedJob() {
  const { model, tile, count, ...rest } = options;
  const encoder = await loadEncoder(model, rest);
  function* tiles() {
    for (let i = 0; i < count; i++) yield tile;
  }
  const onProgress = (done) => say({ step: done, steps: count, rss: rss(), time: performance.now() });
  const { shape } = await encoder.embed(tiles(), { onProgress });
  say({ result: { shape } });
}

/** The event loop's delay beyond its timer's period, while `run` runs. */
async function withLag(run) {
  const period = 1;
  const histogram = monitorEventLoopDelay({ resolution: period });
  histogram.enable();
  await run();
  histogram.disable();
  const milliseconds = (percentile) => histogram.percentile(percentile) / 1e6 - period;
  say({
    lag: { p50: milliseconds(50), p99: milliseconds(99), max: histogram.max / 1e6, samples: histogram.count },
  });
}

const jobs = { train: trainJob, embed: embedJob };
try {
  await withLag(jobs[job]);
} catch (error) {
  say({ error: { code: error.code, message: error.message } });
  process.exitCode = 1;
}
