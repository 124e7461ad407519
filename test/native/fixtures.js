// Small inputs for the addon's tests. Every file of this folder reaches the addon the way the package does.
import { loadNative } from '../../lib/internal/load.js';

export const SIDE = 32;

export const addon = await loadNative();

// The tests of a file run side by side, each trainer with a team of threads of its own: more than one thread each would
// spend its time in OpenMP's barriers, and inputs of this size gain nothing from a second.
addon.setThreads(1);

/** Seeded random pixels, [count,side,side,3]. */
export function pixels(count, seed = 1, side = SIDE) {
  const bytes = new Uint8Array(count * side * side * 3);
  let state = seed >>> 0;
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export const model = Object.freeze({ size: 'tiny', latent: 16, tileSize: SIDE });

export const manifold = Object.freeze({
  labs: 4,
  jitter: 0.25,
  geometry: true,
  fresh: false,
  transforms: [
    {
      type: 'stain',
      vectors: [0.65, 0.7, 0.29, 0.07, 0.99, 0.11],
      estimate: true,
      tolerance: 180,
      concentration: 0.35,
      background: 0.03,
      rotation: 9,
      uniform: false,
    },
    { type: 'gain', spread: 0.06, common: 0.8 },
    { type: 'gamma', spread: 0.12 },
    { type: 'blur', sigma: 0.8, share: 0.5 },
    { type: 'jpeg', qualityMin: 40, share: 0.5 },
  ],
});

export const translatorModel = Object.freeze({
  tileSize: SIDE,
  width: 4,
  blocks: 1,
  judgeWidth: 4,
  judgeLayers: 2,
});

export function translatorOptions(overrides = {}) {
  return {
    model: translatorModel,
    cycle: 10,
    identity: 0.5,
    pool: 4,
    geometry: true,
    totalSteps: 10,
    constantSteps: 5,
    learningRate: 2e-4,
    seed: 1,
    device: 'cpu',
    precision: 'fp32',
    ...overrides,
  };
}

export function trainOptions(overrides = {}) {
  return {
    model,
    manifold,
    furtherStains: [],
    weights: { compaction: 1, scatter: 0.1, reconstruction: 1, adversarial: 0.1 },
    compaction: 'contrastive',
    temperature: 0.2,
    lambda: 0.005,
    views: 2,
    viewTurn: false,
    viewCrop: 1,
    realLabs: 0,
    totalSteps: 100,
    warmupSteps: 5,
    learningRate: 1e-3,
    weightDecay: 0.05,
    clipNorm: 1,
    seed: 1,
    device: 'cpu',
    precision: 'fp32',
    ...overrides,
  };
}

export async function openTrainer(overrides) {
  const trainer = new addon.Trainer(trainOptions(overrides));
  await trainer.open();
  return trainer;
}

/** A layout's tensors in bytes. */
export function bytesOf(layout) {
  const sizes = { F64: 8, F32: 4, I64: 8 };
  return layout.reduce((sum, { dtype, shape }) => sum + sizes[dtype] * shape.reduce((a, b) => a * b, 1), 0);
}

export async function exported(trainer) {
  const into = new Uint8Array(bytesOf(trainer.layout()));
  await trainer.exportState(into);
  return into;
}

/** Asserts the code of a rejection, or of a throw where `call` is synchronous. */
export async function throwsCode(t, call, code, message) {
  const error = await t.throwsAsync(async () => call(), { code });
  t.is(error.name, 'StainfoldError');
  if (message) t.regex(error.message, message);
}
