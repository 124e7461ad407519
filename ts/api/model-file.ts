/** What model.safetensors and checkpoint.safetensors say of themselves: ModelInfo, and for checkpoints where the run stands. */
import { createHash } from 'node:crypto';
import {
  readSafetensors,
  readSafetensorsHeader,
  type TensorEntry,
  type TensorSpec,
} from '../data/safetensors.js';
import { StainfoldError } from '../errors.js';
import type { NativeTensorSpec } from '../internal/native.js';
import type { ModelInfo } from '../types.js';
import { modelPath, PRETRAINED } from './pretrained.js';

/** Keys of the safetensors metadata. Values are JSON. */
export const INFO = 'stainfold';
export const RUN = 'run';

export interface ModelFile {
  info: ModelInfo;
  /** JSON of a checkpoint's place in its run; undefined in a model. */
  run: string | undefined;
  specs: NativeTensorSpec[];
  data: Uint8Array;
}

/** Tensors that an encoder in service needs. */
export const isServed = ({ name }: { name: string }): boolean => /^(encoder|decoder|ood)\./.test(name);

/** Of what a model says of itself, its training included. */
export const modelDigest = ({ info }: { info: ModelInfo }): string =>
  createHash('sha256').update(JSON.stringify(info)).digest('hex');

/** Deterministic: no time, no path, no host. Same seed, same bytes. */
export function modelMetadata(info: object, run?: unknown): Record<string, string> {
  return { [INFO]: JSON.stringify(info), ...(run === undefined ? {} : { [RUN]: JSON.stringify(run) }) };
}

/**
 * The tensors that `keep` wants of a model, which is given by its path or the name of one that comes with the package. Throws
 * STAINFOLD_FILE_NOT_FOUND, STAINFOLD_SAFETENSORS, or STAINFOLD_CHECKPOINT where the file is not stainfold's.
 */
export async function readModel(model: string, keep: (tensor: TensorSpec) => boolean): Promise<ModelFile> {
  const path = modelPath(model);
  const { metadata, tensors, data } = await readSafetensors(path, keep).catch(orNamed(model));
  const info = parseInfo(path, metadata[INFO]);
  return { info, run: metadata[RUN], specs: tensors.map((tensor) => nativeSpec(path, tensor)), data };
}

/** As readModel, without reading a tensor. */
export async function readModelInfo(model: string): Promise<{ info: ModelInfo; tensors: TensorEntry[] }> {
  const path = modelPath(model);
  const { metadata, tensors } = await readSafetensorsHeader(path).catch(orNamed(model));
  return { info: parseInfo(path, metadata[INFO]), tensors };
}

/** What looks like a name is answered with the names that there are. */
function orNamed(model: string): (error: unknown) => never {
  return (error) => {
    const missing = error instanceof StainfoldError && error.code === 'STAINFOLD_FILE_NOT_FOUND';
    if (!missing || /[./\\]/.test(model)) throw error;
    throw new StainfoldError(
      'STAINFOLD_FILE_NOT_FOUND',
      `There is no file ${model}, and no model of that name comes with stainfold`,
      {
        hint: `Check the path, or name a model that comes with it: ${Object.keys(PRETRAINED).join(', ')}.`,
        cause: error,
      },
    );
  };
}

function parseInfo(path: string, json: string | undefined): ModelInfo {
  const info = parseDescription(path, json) as Partial<ModelInfo>;
  const sound =
    (info.kind === 'model' || info.kind === 'checkpoint') &&
    typeof info.size === 'string' &&
    [info.latent, info.tileSize].every((value) => Number.isSafeInteger(value)) &&
    typeof info.provenance === 'object' &&
    typeof info.options === 'object';
  if (!sound) throw unusable(path, 'has an incomplete description, or is no encoder');
  return info as ModelInfo;
}

/** The description of any file that stainfold wrote, of whatever kind; throws STAINFOLD_CHECKPOINT for others. */
export function parseDescription(path: string, json: string | undefined): object {
  if (json === undefined) throw unusable(path, 'holds tensors, but no description by stainfold');
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw unusable(path, 'has a description that is not JSON');
  }
  const info = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as Partial<ModelInfo>;
  if (info.format !== 'stainfold')
    throw unusable(path, `has the format ${JSON.stringify(info.format)}, not 'stainfold'`);
  if (info.formatVersion !== 1) {
    const version = JSON.stringify(info.formatVersion);
    throw unusable(
      path,
      `has format version ${version}, this stainfold reads 1`,
      'Update stainfold, or train the model again.',
    );
  }
  return info;
}

export function unusable(path: string, detail: string, hint?: string): StainfoldError {
  return new StainfoldError('STAINFOLD_CHECKPOINT', `${path} ${detail}`, hint === undefined ? {} : { hint });
}

export function nativeSpec(path: string, { name, dtype, shape }: TensorEntry): NativeTensorSpec {
  if (dtype !== 'F64' && dtype !== 'F32' && dtype !== 'I64') {
    throw new StainfoldError(
      'STAINFOLD_CHECKPOINT',
      `${path}: tensor '${name}' is ${dtype}, not F32, F64 or I64`,
    );
  }
  return { name, dtype, shape };
}
