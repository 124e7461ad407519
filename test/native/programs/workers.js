// Ten workers, three at a time: six are terminated in mid-training, two call process.exit, two end by themselves.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const script = new URL('./worker.js', import.meta.url);

async function terminated() {
  const worker = new Worker(script, { workerData: 'train' });
  await once(worker, 'message'); // the first step is done, the others are queued
  await worker.terminate();
  return 'terminated';
}

async function exited() {
  const worker = new Worker(script, { workerData: 'exit' });
  const [code] = await once(worker, 'exit');
  return `exited with ${code}`;
}

async function ended() {
  const worker = new Worker(script, { workerData: 'end' });
  const [code] = await once(worker, 'exit');
  return code === 0 ? 'ended' : `ended with ${code}`;
}

const counts = new Map();
const queue = [
  terminated,
  exited,
  ended,
  terminated,
  terminated,
  exited,
  terminated,
  ended,
  terminated,
  terminated,
];
await Promise.all(
  [1, 2, 3].map(async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const outcome = await next();
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
  }),
);
const order = ['terminated', 'exited with 5', 'ended'];
console.log(
  [...new Set([...order, ...counts.keys()])].map((key) => `${counts.get(key) ?? 0} ${key}`).join(', '),
);
