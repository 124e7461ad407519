import { resolve } from 'node:path';
import type { Inspection } from '../types.js';
import { readModelInfo } from './model-file.js';
import { modelPath } from './pretrained.js';

/**
 * What a model or checkpoint holds. Reads the header alone; LibTorch is not loaded.
 *
 * @example
 * const { info, tensors } = await inspect('run/model.safetensors');
 *
 * @throws STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ, STAINFOLD_SAFETENSORS, STAINFOLD_CHECKPOINT.
 */
export async function inspect(model: string): Promise<Inspection> {
  const { info, tensors } = await readModelInfo(model);
  return {
    path: resolve(modelPath(model)),
    info,
    bytes: tensors.reduce((sum, { start, end }) => sum + end - start, 0),
    tensors: tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
  };
}
