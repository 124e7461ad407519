// Begins a computation that takes far longer than anybody waits, and ends as its arguments say: long.js WORK HOW
import { writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { addon } from '../../native/fixtures.js';

const [work, how] = isMainThread ? process.argv.slice(2) : workerData;
const announce = () => writeSync(1, 'ending\n');
const matrix = (rows, columns) => ({
  data: new Float32Array(rows * columns).map((_, i) => (i * i) % 1009),
  rows,
  columns,
});

const WORKS = {
  /** Rounds of a loop, which looks whether it is to give up. */
  rounds: () => {
    const labels = Int32Array.from({ length: 2000 }, (_, i) => i % 3);
    return addon.metrics.permanova(matrix(2000, 8), labels, null, 10_000_000, 1);
  },
  /** One call of LAPACK, which nothing stops. */
  'one call': () => {
    const square = matrix(3000, 3000);
    return addon.metrics.frechetDistance(square, square);
  },
};

if (isMainThread && how.startsWith('worker')) {
  const worker = new Worker(new URL(import.meta.url), { workerData: [work, 'wait'] });
  worker.once('message', async () => {
    announce();
    if (how === 'worker: main exits') process.exit(7);
    await worker.terminate();
  });
} else {
  WORKS[work]().then(
    () => writeSync(1, 'the work was done\n'),
    (error) => writeSync(1, `the work failed: ${error.message}\n`),
  );
  setTimeout(() => {
    parentPort?.postMessage('at work');
    if (how === 'wait') return;
    process.on('exit', (code) => writeSync(1, `a last word at ${code}\n`));
    announce();
    if (how === 'uncaught') throw new Error('thrown on purpose');
    process.exit(7);
  }, 150);
}
