// What all contestants are given, as files: weights, the ONNX graph, tiles of phantom tissue. Made once, kept in build/bench.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../command.mjs';

export const FOLDER = join(ROOT, 'build', 'bench');

/** Of the inputs' making: files of another version are made anew. */
const VERSION = 3;

const INFO = {
  format: 'stainfold',
  formatVersion: 1,
  kind: 'model',
  provenance: { where: {} },
  options: {},
};

export class Inputs {
  #native;

  constructor(native) {
    this.#native = native;
    mkdirSync(FOLDER, { recursive: true });
  }

  /**
   * A model of drawn weights whose norms have seen a batch: no norm folds to nothing.
   *
   * @returns { model, onnx, latent }
   */
  async model(size, tileSize, latent = this.latent(size)) {
    const stem = join(FOLDER, `${size}-${latent}-${tileSize}-v${VERSION}`);
    const paths = { model: `${stem}.safetensors`, onnx: `${stem}.onnx`, latent };
    if (existsSync(paths.onnx)) return paths;
    const { writeSafetensors } = await import('../../lib/data/safetensors.js');
    const { exportOnnx } = await import('../../lib/index.js');
    const { specs, pieces } = await this.#state(
      trainOptions({ model: { size, latent, tileSize: 32 } }),
      1,
      ({ name }) => name.startsWith('encoder.'),
    );
    // The encoder's weights are those of any tile size.
    const info = { ...INFO, size, latent, tileSize, parameters: 0 };
    await writeSafetensors(paths.model, specs, pieces, { stainfold: JSON.stringify(info) });
    await exportOnnx({ model: paths.model, out: paths.onnx });
    return paths;
  }

  /** The state that a Trainer of these options begins with, all networks. */
  async untrained(options) {
    const { size, latent, tileSize } = options.model;
    const path = join(FOLDER, `untrained-${size}-${latent}-${tileSize}-v${VERSION}.safetensors`);
    if (existsSync(path)) return path;
    const { writeSafetensors } = await import('../../lib/data/safetensors.js');
    const isNetwork = ({ name }) => /^(encoder|decoder|discriminator)\./.test(name);
    const { specs, pieces } = await this.#state(options, 0, isNetwork);
    await writeSafetensors(path, specs, pieces);
    return path;
  }

  latent(size) {
    return this.#native.architectures().find(({ name }) => name === size).latent;
  }

  /** Tensors of a trainer that has done some steps. */
  async #state(options, steps, keep) {
    const { tileSize } = options.model;
    const trainer = new this.#native.Trainer(options);
    await trainer.open();
    const count = 8;
    const pixels = await this.pixels(count, tileSize);
    for (let step = 0; step < steps; step++) await trainer.step(pixels, count, null, null, null);
    const layout = trainer.layout();
    const bytes = layout.map(
      ({ dtype, shape }) => (dtype === 'F32' ? 4 : 8) * shape.reduce((a, b) => a * b, 1),
    );
    const state = new Uint8Array(bytes.reduce((a, b) => a + b, 0));
    await trainer.exportState(state);
    await trainer.dispose();
    const specs = [];
    const pieces = [];
    let offset = 0;
    for (const [i, spec] of layout.entries()) {
      if (keep(spec)) {
        specs.push(spec);
        pieces.push(state.subarray(offset, offset + bytes[i]));
      }
      offset += bytes[i];
    }
    return { specs, pieces };
  }

  /** `count` tiles of phantom tissue: [count,tileSize,tileSize,3]. */
  async pixels(count, tileSize) {
    const tileBytes = tileSize * tileSize * 3;
    const data = new Uint8Array(count * tileBytes);
    const names = this.#native.phantom.tissues();
    // Both stains in every tile: others would be passed through by the normalisers.
    const tissues = names.flatMap((name, i) => (/tumour|gland|stroma/.test(name) ? [i] : []));
    for (let i = 0; i < count; i += LABS.length) {
      const seed = 1 + i;
      const labs = LABS.slice(0, count - i);
      const tiles = await this.#native.phantom.render({
        tissue: tissues[(i / LABS.length) % tissues.length],
        size: tileSize,
        mpp: 0.5,
        seed,
        labs,
      });
      data.set(tiles, i * tileBytes);
    }
    return data;
  }

  /** The same as a file of nothing but the pixels. */
  async tiles(count, tileSize) {
    const path = join(FOLDER, `tiles-${count}x${tileSize}-v${VERSION}.raw`);
    if (!existsSync(path)) writeFileSync(path, await this.pixels(count, tileSize));
    return path;
  }
}

const LABS = [0, 1, 2, 3];

// A window that is not moved: what comes out is what went in.
const UNRENDERED = [{ type: 'window', low: 0, high: 0, common: 1 }];

/** The default recipe at a strength; at 0 it renders tiles to what they were, and neither refocuses nor re-compresses. */
function recipe(strength) {
  const share = strength > 0 ? 0.5 : 0;
  return [
    {
      type: 'stain',
      vectors: [0.65, 0.7, 0.29, 0.07, 0.99, 0.11],
      estimate: true,
      tolerance: 180,
      concentration: 0.25 * strength,
      background: 0.03 * strength,
      rotation: 9 * strength,
      uniform: false,
    },
    { type: 'gain', spread: 0.06 * strength, common: 0.8 },
    { type: 'gamma', spread: 0.12 * strength },
    { type: 'blur', sigma: 0.8 * strength, share },
    { type: 'jpeg', qualityMin: 10, share },
  ];
}

/** A training step as the native Trainer takes it. `strength` of the rendering; none: both views are the tile. */
export function trainOptions({ strength, ...given }) {
  return {
    // With one lab the discriminator's label is known to both sides.
    manifold: {
      labs: 1,
      jitter: 0,
      geometry: false,
      fresh: false,
      transforms: strength === undefined ? UNRENDERED : recipe(strength),
    },
    furtherStains: [],
    weights: { compaction: 1, scatter: 0.1, reconstruction: 1, adversarial: 0.1 },
    compaction: 'contrastive',
    temperature: 0.07,
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
    device: 'cpu',
    precision: 'fp32',
    ...given,
  };
}
