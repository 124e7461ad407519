// A native core that computes nothing but a running digest: what it is told decides what it returns, so that control flow
// (order, resume, abort, failure) can be tested to the byte. Numbers are tested with the real one.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { StainfoldError } from '../../lib/index.js';

const SPECS = [
  { name: 'encoder.weight', dtype: 'F32', shape: [2, 2] },
  { name: 'decoder.weight', dtype: 'F32', shape: [2] },
  { name: 'optimiser.encoder.weight.exp_avg', dtype: 'F32', shape: [2, 2] },
  { name: 'trainer.step', dtype: 'I64', shape: [1] },
];
const BYTES = 48;

/** @param script { stepMs, failAt, onStep(step), rank(step), device } */
export function fakeNative(script = {}) {
  const events = [];

  class Trainer {
    #state = new Uint8Array(BYTES);
    #queue = Promise.resolve();
    #disposed = false;
    constructor(options) {
      this.options = options;
      events.push(['trainer', options]);
    }
    #run(work) {
      const result = this.#queue.then(async () => {
        if (this.#disposed) throw new StainfoldError('STAINFOLD_DISPOSED', 'gone');
        return work();
      });
      this.#queue = result.catch(() => undefined);
      return result;
    }
    open() {
      return this.#run(async () => ({ device: script.device ?? 'cpu', precision: 'fp32' }));
    }
    layout() {
      return SPECS;
    }
    step(pixels, count, realLab, group, stain) {
      return this.#run(async () => {
        if (script.stepMs) await sleep(script.stepMs);
        const view = new DataView(this.#state.buffer);
        const step = Number(view.getBigInt64(40, true)) + 1;
        if (step === script.failAt)
          throw new StainfoldError('STAINFOLD_NON_FINITE', `loss is NaN at step ${step}`);
        const hash = createHash('sha256').update(this.#state).update(pixels);
        hash.update(JSON.stringify([count, realLab && [...realLab], group && [...group]]));
        this.#state.set(hash.digest(), 0);
        view.setBigInt64(40, BigInt(step), true);
        events.push(['step', step, count, realLab && [...realLab], group && [...group]]);
        if (stain) events.push(['stain', step, ...stain]);
        script.onStep?.(step);
        return {
          step,
          learningRate: 1e-3,
          loss: this.#state[0] / 255,
          compaction: 0,
          scatter: 0,
          reconstruction: 0,
          adversarial: 0,
          discriminatorAccuracy: 0,
          discriminatorChance: 0.0625,
          gradientNorm: 1,
          rank: script.rank?.(step) ?? 2,
          tiles: count,
        };
      });
    }
    exportState(into) {
      return this.#run(async () => into.set(this.#state));
    }
    importState(specs, data) {
      return this.#run(async () => {
        events.push(['import', specs.map(({ name }) => name)]);
        this.#state.set(data);
      });
    }
    async dispose() {
      this.#disposed = true;
      await this.#queue;
      events.push(['dispose']);
    }
  }

  /** Embeds a tile as [its first byte, its row's place in the call, the call's number, 0, ...]. */
  class Embedder {
    #calls = 0;
    #disposed = false;
    constructor(options) {
      this.model = options.model;
      events.push(['embedder', options]);
    }
    async open(specs, data) {
      events.push(['open', specs.map(({ name }) => name), data.length]);
      return { device: 'cpu', precision: 'fp32', hasDecoder: true };
    }
    async embed(tiles, count) {
      const pixels = Array.isArray(tiles) ? Buffer.concat(tiles) : tiles;
      const call = this.#calls++;
      await sleep(call % 2 ? 1 : 5);
      if (this.#disposed) throw new StainfoldError('STAINFOLD_DISPOSED', 'gone');
      const { latent } = this.model;
      const z = new Float32Array(count * latent);
      for (let row = 0; row < count; row++) {
        z[row * latent] = pixels[(row * pixels.length) / count];
        z[row * latent + 1] = row;
        z[row * latent + 2] = call;
      }
      events.push(['embed', count]);
      return z;
    }
    async reconstruct(pixels, count) {
      events.push(['reconstruct', count]);
      return pixels.slice();
    }
    async dispose() {
      this.#disposed = true;
      events.push(['dispose']);
    }
  }

  return {
    events,
    Trainer,
    Embedder,
    initialize() {},
    status: () => ({ version: '0.0.0', libtorch: '0.0.0' }),
    setThreads: (threads) => events.push(['threads', threads]),
    architectures: () => [{ name: 'tiny', latent: 8 }],
  };
}
