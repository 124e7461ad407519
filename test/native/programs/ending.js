// Queues two hundred steps and ends in the way its argument says.
import { writeSync } from 'node:fs';
import { openTrainer, pixels } from '../fixtures.js';

const ending = process.argv[2];
const trainer = await openTrainer();
const tiles = pixels(8);
const start = performance.now();
await trainer.step(tiles, 8, null, null);
writeSync(1, `a step takes ${(performance.now() - start).toFixed(1)} ms\n`);
const queued = ending === 'natural' ? 3 : 200;
const steps = Array.from({ length: queued }, () => trainer.step(tiles, 8, null, null));
for (const step of steps) step.catch(() => {});
await steps[0];

const announce = () => writeSync(1, 'ending\n'); // synchronous: nothing may be in a pipe's buffer at exit
switch (ending) {
  case 'exit':
    announce();
    process.exit(7);
    break;
  case 'exit-later':
    // Exit listeners run after the addon's own: calls made there must not start anything.
    process.on('exit', () => {
      trainer.step(tiles, 8, null, null).catch(() => {});
      trainer.dispose();
    });
    setTimeout(() => {
      announce();
      process.exit(7);
    }, 20);
    break;
  case 'uncaught':
    setTimeout(() => {
      announce();
      throw new Error('thrown on purpose');
    }, 20);
    break;
  case 'rejection':
    announce();
    Promise.reject(new Error('rejected on purpose'));
    break;
  case 'dispose-and-exit':
    announce();
    trainer.dispose();
    process.exit(7);
    break;
  case 'natural':
    await Promise.all(steps);
    announce(); // not disposed: an idle trainer must not keep the process
    break;
}
