// The utility process: a plain Node with stainfold in it. Native threads, LibTorch and the GPU live and die here.
import { loadEncoder, StainfoldError, train } from 'stainfold';

/**
 * @typedef {{ kind: 'train', tiles: string, out: string, epochs: number }
 *   | { kind: 'embed', tiles: string[], model: string }
 *   | { kind: 'stop' }} Request
 * @typedef {{ code: string | null, message: string, hint: string | null }} Failure
 */

const { parentPort } = process;
let running = new AbortController();

const HANDLERS = {
  /** @param {Request & { kind: 'train' }} request @param {(progress: unknown) => void} report */
  async train({ tiles, out, epochs }, report) {
    running = new AbortController();
    const { model, seconds } = await train({
      tiles,
      out,
      epochs,
      signal: running.signal,
      onProgress: ({ step, steps, loss, scatter }) => report({ step, steps, loss, scatter }),
    });
    return { model, seconds };
  },

  /** @param {Request & { kind: 'embed' }} request */
  async embed({ tiles, model }) {
    const encoder = await loadEncoder(model);
    try {
      // Structured clone copies the numbers: an embedding is small.
      const { data, shape } = await encoder.embed(tiles);
      return { data, shape };
    } finally {
      await encoder.dispose();
    }
  },

  /** The run ends at its next step, with a checkpoint that a later run resumes. */
  async stop() {
    running.abort(new Error('Stopped.'));
    return null;
  },
};

/** @param {unknown} error @returns {Failure} */
function describe(error) {
  if (error instanceof StainfoldError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: null, message: error instanceof Error ? error.message : String(error), hint: null };
}

parentPort.on('message', async ({ data: { id, request } }) => {
  const report = (/** @type {unknown} */ progress) => parentPort.postMessage({ id, progress });
  try {
    const handler =
      /** @type {(request: Request, report: (progress: unknown) => void) => Promise<unknown>} */ (
        HANDLERS[/** @type {Request} */ (request).kind]
      );
    parentPort.postMessage({ id, result: await handler(request, report) });
  } catch (error) {
    parentPort.postMessage({ id, error: describe(error) });
  }
});
