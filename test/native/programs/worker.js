import { parentPort, workerData } from 'node:worker_threads';
import { addon, openTrainer, pixels } from '../fixtures.js';

const trainer = await openTrainer();
const tiles = pixels(8);
const steps = Array.from({ length: workerData === 'end' ? 2 : 100 }, () =>
  trainer.step(tiles, 8, null, null),
);
for (const step of steps) step.catch(() => {});
addon.phantom.render({ tissue: 0, size: 128, mpp: 0.5, seed: 1, labs: [0, 1] }).catch(() => {}); // the shared thread too
await steps[0];
if (workerData === 'train') parentPort.postMessage('training');
if (workerData === 'exit') process.exit(5);
if (workerData === 'end') await Promise.all(steps);
