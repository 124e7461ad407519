// A job in a worker: tells each step to its parent.
import { parentPort, workerData } from 'node:worker_threads';
import { loadEncoder, train } from '../../lib/index.js';

const { of, options, end } = workerData;
const told = (step) => {
  parentPort.postMessage(step);
  if (step === end.step && end.how === 'worker exits') process.exit(5);
};
if (of === 'train') await train({ ...options, onProgress: ({ step }) => told(step) });
else {
  const { model, tile, count, ...rest } = options;
  const encoder = await loadEncoder(model, rest);
  await encoder.embed(
    Array.from({ length: count }, () => tile),
    { onProgress: told },
  );
}
