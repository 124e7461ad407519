// npm run pretrain: makes the model that comes with the package, models/phantom-tiny.safetensors, from nothing but a seed.
// Trained on phantom tissue of one lab, then measured on labs that it never saw. docs/models.md is its card.
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asCommand, ROOT } from './command.mjs';
import { setup } from './setup.mjs';

const PHANTOM = { tiles: 1600, labs: 4, tileSize: 64, mpp: 0.5, seed: 2026 };
const TRAINING = { epochs: 20, learningRate: 2e-3, seed: 1, device: 'cpu' };

asCommand(import.meta.url, async () => {
  await setup();
  const { evaluate, generatePhantom, train } = await import('../lib/index.js');
  const { createTerminal } = await import('../lib/cli/terminal.js');
  const { startProgress } = await import('../lib/cli/progress.js');
  const { formatEvaluation } = await import('../lib/cli/evaluation-table.js');
  const terminal = createTerminal(process.stdout, process.stderr);

  const folder = await mkdtemp(join(tmpdir(), 'stainfold-pretrain-'));
  try {
    const { manifest } = await generatePhantom({ ...PHANTOM, out: join(folder, 'tiles') });
    const progress = startProgress(terminal, 'training');
    const { model, seconds } = await train({
      ...TRAINING,
      tiles: manifest,
      where: { lab: '0' },
      out: join(folder, 'run'),
      onProgress: ({ step, steps }) => progress.update(step, steps),
    }).finally(() => progress[Symbol.dispose]());
    const measured = await evaluate({
      tiles: manifest,
      model,
      batchColumn: 'lab',
      labelColumn: 'tissue',
      groupColumn: 'slide',
    });
    await mkdir(join(ROOT, 'models'), { recursive: true });
    await copyFile(model, join(ROOT, 'models', 'phantom-tiny.safetensors'));
    console.log(`models/phantom-tiny.safetensors, trained in ${Math.round(seconds)} s\n`);
    console.log(formatEvaluation(measured, terminal.colours.stdout, terminal.width));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
