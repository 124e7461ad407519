import { resolve } from 'node:path';
import { encodeOnnx } from '../data/onnx.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { validate } from '../internal/validate.js';
import { exportOnnxSchema } from '../internal/validate-export.js';
import type { ExportedOnnx, ExportOnnxOptions } from '../types.js';
import { INFO, readModel } from './model-file.js';
import { encoderGraph, type FloatTensor, ONNX_INPUT, ONNX_OUTPUT } from './onnx-graph.js';

/** Version 8 of the format is the one that came with opset 17. */
const IR_VERSION = 8;
const OPSET = 17;

/**
 * Writes a model's encoder as ONNX: uint8 pixels in, the embedding out, any number of tiles. LibTorch is not loaded.
 *
 * @example
 * const { input, output } = await exportOnnx({ model: 'run/model.safetensors', out: 'encoder.onnx' });
 *
 * @throws STAINFOLD_FILE_NOT_FOUND, STAINFOLD_SAFETENSORS, STAINFOLD_CHECKPOINT, STAINFOLD_WEIGHTS, STAINFOLD_FILE_WRITE;
 *   STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN.
 */
export async function exportOnnx(options: ExportOnnxOptions): Promise<ExportedOnnx> {
  const { model, out, signal } = validate(exportOnnxSchema, options);
  signal?.throwIfAborted();
  const { info, specs, data } = await readModel(model, ({ name }) => name.startsWith('encoder.'));
  signal?.throwIfAborted();
  const tensors = new Map<string, FloatTensor>();
  let offset = 0;
  for (const { name, dtype, shape } of specs) {
    const count = shape.reduce((product, side) => product * side, 1);
    if (dtype !== 'F32') {
      throw new StainfoldError('STAINFOLD_CHECKPOINT', `${model}: tensor '${name}' is ${dtype}, not F32`);
    }
    tensors.set(name, { shape, data: new Float32Array(data.buffer, data.byteOffset + offset, count) });
    offset += 4 * count;
  }
  const graph = encoderGraph(tensors, info);
  const bytes = encodeOnnx({
    irVersion: IR_VERSION,
    opsets: [{ domain: '', version: OPSET }],
    producer: 'stainfold',
    doc: `stainfold encoder, ${info.size}: RGB tiles of ${info.tileSize} px to ${info.latent} dimensions`,
    graph,
    metadata: [
      { key: 'size', value: info.size },
      { key: 'tileSize', value: String(info.tileSize) },
      { key: 'latent', value: String(info.latent) },
      { key: INFO, value: JSON.stringify(info) },
    ],
  });
  signal?.throwIfAborted();
  await writeFileAtomic(out, bytes);
  return {
    path: resolve(out),
    bytes: bytes.length,
    opset: OPSET,
    input: { name: ONNX_INPUT, type: 'uint8', shape: ['N', info.tileSize, info.tileSize, 3] },
    output: { name: ONNX_OUTPUT, type: 'float32', shape: ['N', info.latent] },
    info,
  };
}
