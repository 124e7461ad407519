// Nothing but the pending step keeps this process alive, and nothing at all after it.
import { openTrainer, pixels } from '../fixtures.js';

const trainer = await openTrainer();
trainer.step(pixels(4), 4, null, null).then(({ step }) => console.log(`step ${step} done`));
