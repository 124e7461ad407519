// What only a GPU can show, through the addon. Without one every test here is skipped, and the log says why.
import test from 'ava';
import { loadNative } from '../../lib/internal/load.js';
import { nativeManifold } from '../../lib/internal/manifold-kinds.js';

const native = await loadNative();
const { cudaUnavailable, devices } = native.status();
const gpu = cudaUnavailable === '' ? test.serial : test.skip;
if (cudaUnavailable) console.log(`skipped: ${cudaUnavailable}`);

const SIZE = 64;
const BATCH = 8;
const LATENT = 32;

async function tissue(count) {
  const tiles = new Uint8Array(count * SIZE * SIZE * 3);
  for (let i = 0; i < count; i++) {
    const tile = await native.phantom.render({ tissue: i % 5, size: SIZE, mpp: 0.5, seed: i, labs: [0] });
    tiles.set(tile, i * tile.length);
  }
  return tiles;
}

function options(device, precision = 'fp32') {
  return {
    model: { size: 'tiny', latent: LATENT, tileSize: SIZE },
    manifold: nativeManifold({ labs: 4, strength: 1, geometry: true }),
    furtherStains: [],
    weights: { compaction: 1, scatter: 0.1, reconstruction: 1, adversarial: 0.1 },
    compaction: 'contrastive',
    temperature: 0.2,
    lambda: 0.005,
    views: 2,
    viewTurn: false,
    viewCrop: 1,
    realLabs: 0,
    totalSteps: 40,
    warmupSteps: 4,
    learningRate: 1e-3,
    weightDecay: 0.05,
    clipNorm: 1,
    seed: 7,
    device,
    precision,
  };
}

const BYTES = { F64: 8, F32: 4, I64: 8 };

async function state(trainer) {
  const specs = trainer.layout();
  const bytes = specs.reduce(
    (sum, { dtype, shape }) => sum + BYTES[dtype] * shape.reduce((a, b) => a * b, 1),
    0,
  );
  const data = new Uint8Array(bytes);
  await trainer.exportState(data);
  return { specs, data };
}

async function trained(steps, { device = 'cuda', precision = 'fp32', from = null } = {}) {
  const pixels = await tissue(BATCH);
  const trainer = new native.Trainer(options(device, precision));
  await trainer.open();
  if (from) await trainer.importState(from.specs, from.data);
  const reports = [];
  for (let i = 0; i < steps; i++) reports.push(await trainer.step(pixels, BATCH, null, null));
  const result = { ...(await state(trainer)), reports };
  await trainer.dispose();
  return result;
}

gpu('training on CUDA lowers the loss, in fp32 and bf16', async (t) => {
  for (const precision of ['fp32', 'bf16']) {
    const { reports } = await trained(30, { precision });
    t.true(
      reports.at(-1).loss < reports[0].loss,
      `${precision}: ${reports[0].loss} -> ${reports.at(-1).loss}`,
    );
  }
});

gpu('same seed, same device: same bytes', async (t) => {
  const [a, b] = [await trained(5), await trained(5)];
  t.deepEqual(Buffer.from(a.data), Buffer.from(b.data));
});

gpu('resuming equals never having stopped', async (t) => {
  const whole = await trained(6);
  const resumed = await trained(3, { from: await trained(3) });
  t.deepEqual(Buffer.from(whole.data), Buffer.from(resumed.data));
});

gpu(
  'a recorded step is the step that is not, and steps asked for at once are those one by one',
  async (t) => {
    const pixels = await tissue(BATCH);
    const runs = {};
    for (const [name, graph] of [
      ['recorded', '1'],
      ['plain', '0'],
    ]) {
      process.env.STAINFOLD_TRAIN_GRAPH = graph;
      runs[name] = (await trained(20)).reports;
      delete process.env.STAINFOLD_TRAIN_GRAPH;
    }
    runs.recorded.forEach(({ loss }, i) => {
      const wanted = runs.plain[i].loss;
      // The same kernels; libraries may choose another algorithm for another workspace, and steps build on one another.
      t.true(
        Math.abs(loss - wanted) <= (i < 5 ? 1e-4 : 1e-2) * Math.abs(wanted),
        `step ${i + 1}: ${loss}, ${wanted}`,
      );
    });

    const trainer = new native.Trainer(options('cuda'));
    await trainer.open();
    const ahead = [];
    for (let i = 0; i < 10; i++) ahead.push(trainer.step(pixels, BATCH, null, null));
    const half = state(trainer); // after the tenth, and before the eleventh
    for (let i = 0; i < 10; i++) ahead.push(trainer.step(pixels, BATCH, null, null));
    t.deepEqual(
      (await Promise.all(ahead)).map(({ loss }) => loss),
      runs.recorded.map(({ loss }) => loss),
    );
    t.deepEqual(Buffer.from((await half).data), Buffer.from((await trained(10)).data));
    await trainer.dispose();
  },
);

gpu('the first step on CUDA agrees with the CPU', async (t) => {
  const [cuda, cpu] = [await trained(1), await trained(1, { device: 'cpu' })];
  // fp32 on both, other summation orders and TF32 off: 1e-3 relative leaves room for cuDNN's algorithms.
  for (const term of ['loss', 'compaction', 'scatter', 'reconstruction', 'adversarial']) {
    const [a, b] = [cuda.reports[0][term], cpu.reports[0][term]];
    t.true(Math.abs(a - b) <= 1e-3 * Math.max(1, Math.abs(b)), `${term}: cuda ${a}, cpu ${b}`);
  }
});

gpu('embeddings agree with the CPU: fp32 closely, bf16 in direction', async (t) => {
  const pixels = await tissue(BATCH);
  const weights = await trained(5);
  const embed = async (device, precision) => {
    const embedder = new native.Embedder({ model: options(device).model, device, precision, seed: 1 });
    await embedder.open(weights.specs, weights.data);
    const z = await embedder.embed(pixels, BATCH);
    await embedder.dispose();
    return z;
  };
  const reference = await embed('cpu', 'fp32');
  const cosine = (z, row) => {
    let [ab, aa, bb] = [0, 0, 0];
    for (let j = row * LATENT; j < (row + 1) * LATENT; j++) {
      ab += z[j] * reference[j];
      aa += z[j] ** 2;
      bb += reference[j] ** 2;
    }
    return ab / Math.sqrt(aa * bb);
  };
  for (const [precision, least] of [
    ['fp32', 0.99999],
    ['bf16', 0.999],
  ]) {
    const z = await embed('cuda', precision);
    for (let row = 0; row < BATCH; row++)
      t.true(cosine(z, row) >= least, `${precision} row ${row}: ${cosine(z, row)}`);
  }
});

gpu('dispose gives device memory back', async (t) => {
  const free = () => native.status().devices[0].freeBytes;
  await trained(1); // contexts, handles and library workspaces stay, once
  const before = free();
  for (let i = 0; i < 5; i++) await trained(1);
  t.true(
    before - free() < 64 * 2 ** 20,
    `free before ${before}, after ${free()} of ${devices[0].totalBytes}`,
  );
});
