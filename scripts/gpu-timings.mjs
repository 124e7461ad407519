// Times of the main calls through the addon: medians of repeats, after a warm-up, synchronised by awaiting the result.
// `device` is a parameter so that the script itself can be tried on a machine without a GPU.
process.env.STAINFOLD_VARIANT ??= 'cu130';

const { loadNative } = await import('../lib/internal/load.js');
const { nativeManifold } = await import('../lib/internal/manifold-kinds.js');

const MANIFOLD = nativeManifold({ labs: 16, strength: 1, geometry: true });

function trainOptions(size, latent, tileSize, device, precision) {
  return {
    model: { size, latent, tileSize },
    manifold: MANIFOLD,
    furtherStains: [],
    weights: { compaction: 1, scatter: 0.1, reconstruction: 1, adversarial: 0.1 },
    compaction: 'contrastive',
    temperature: 0.2,
    lambda: 0.005,
    views: 2,
    viewTurn: false,
    viewCrop: 1,
    realLabs: 0,
    totalSteps: 1000,
    warmupSteps: 10,
    learningRate: 1e-3,
    weightDecay: 0.05,
    clipNorm: 1,
    seed: 1,
    device,
    precision,
  };
}

/** Random pixels: zeros would flatter the hardware. */
function pixels(count, size) {
  const data = new Uint8Array(count * size * size * 3);
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return data;
}

async function median(call, repeats) {
  for (let i = 0; i < 3; i++) await call();
  const times = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[repeats >> 1];
}

/** -> { status, timings: [{ call, size, precision, tileSize, batch, milliseconds, tilesPerSecond }] } */
export async function measure({
  device = 'cuda',
  sizes = ['tiny', 'base'],
  batches = [1, 32, 256],
  repeats = 15,
} = {}) {
  const native = await loadNative();
  const status = native.status();
  const latents = new Map(native.architectures().map(({ name, latent }) => [name, latent]));
  const timings = [];
  const add = (row, milliseconds) => {
    const rounded = Number(milliseconds.toFixed(3));
    timings.push({
      ...row,
      milliseconds: rounded,
      tilesPerSecond: Math.round((row.batch * 1000) / milliseconds),
    });
    console.log(
      `${row.call} ${row.size} ${row.precision} ${row.tileSize} px batch ${row.batch}: ${rounded} ms, ${timings.at(-1).tilesPerSecond} tiles/s`,
    );
  };

  for (const size of sizes) {
    const tileSize = 224;
    for (const precision of device === 'cpu' ? ['fp32'] : ['fp32', 'bf16']) {
      const model = { size, latent: latents.get(size), tileSize };
      const embedder = new native.Embedder({ model, device, precision, seed: 1 });
      await embedder.open([], new Uint8Array(0));
      for (const batch of batches) {
        const input = pixels(batch, tileSize);
        add(
          { call: 'embed', size, precision, tileSize, batch },
          await median(() => embedder.embed(input, batch), repeats),
        );
      }
      await embedder.dispose();

      const batch = device === 'cpu' ? 8 : 128;
      const trainer = new native.Trainer(trainOptions(size, model.latent, tileSize, device, precision));
      await trainer.open();
      const input = pixels(batch, tileSize);
      add(
        { call: 'train step, 2 views', size, precision, tileSize, batch },
        await median(() => trainer.step(input, batch, null, null), repeats),
      );
      await trainer.dispose();
    }
  }
  return { status, timings };
}
