/** The files of a translator: what they say of themselves, and which tensors they hold. */
import { readSafetensors, writeSafetensors } from '../data/safetensors.js';
import type { NativeTensorSpec } from '../internal/native.js';
import type { NativeTranslatorConfig } from '../internal/native-translator.js';
import { INFO, modelMetadata, nativeSpec, parseDescription, RUN, unusable } from './model-file.js';
import { type Origin, pickTensors } from './train-checkpoint.js';

export interface TranslatorInfo {
  format: 'stainfold';
  formatVersion: 1;
  /** A translator holds both generators; its checkpoint also judges, optimisers and pools. */
  kind: 'translator' | 'translator-checkpoint';
  model: NativeTranslatorConfig;
  /** Of one generator. */
  parameters: number;
  provenance: Origin['provenance'] & { stainfold: string; libtorch: string; seed: number; steps: number };
  /** As validated: what the result depends on. */
  options: Record<string, unknown>;
}

export interface TranslatorFile {
  info: TranslatorInfo;
  run: string | undefined;
  specs: NativeTensorSpec[];
  data: Uint8Array;
}

const isGenerator = ({ name }: { name: string }): boolean => /^to_(source|target)\./.test(name);

/** Throws STAINFOLD_FILE_NOT_FOUND, STAINFOLD_SAFETENSORS, or STAINFOLD_CHECKPOINT where the file is no translator. */
export async function readTranslator(path: string): Promise<TranslatorFile> {
  return read(path, isGenerator);
}

export async function readTranslatorCheckpoint(path: string): Promise<TranslatorFile & { run: string }> {
  const { run, ...file } = await read(path, () => true);
  if (file.info.kind !== 'translator-checkpoint' || run === undefined) {
    throw unusable(path, `is a ${file.info.kind}: it has no optimiser to continue with`);
  }
  return { ...file, run };
}

async function read(path: string, keep: (tensor: { name: string }) => boolean): Promise<TranslatorFile> {
  const { metadata, tensors, data } = await readSafetensors(path, keep);
  const info = parseDescription(path, metadata[INFO]) as TranslatorInfo;
  if (info.kind !== 'translator' && info.kind !== 'translator-checkpoint') {
    throw unusable(path, `is a ${info.kind}, not a translator`);
  }
  const sound = [info.model, info.provenance, info.options].every((part) => typeof part === 'object');
  if (!sound) throw unusable(path, 'has an incomplete description');
  return { info, run: metadata[RUN], specs: tensors.map((tensor) => nativeSpec(path, tensor)), data };
}

export async function writeTranslatorCheckpoint(
  path: string,
  info: TranslatorInfo,
  specs: readonly NativeTensorSpec[],
  data: Uint8Array,
  run: unknown,
): Promise<void> {
  await writeSafetensors(path, specs, [data], modelMetadata({ ...info, kind: 'translator-checkpoint' }, run));
}

/** Both generators out of a trainer's whole state. */
export async function writeTranslator(
  path: string,
  info: TranslatorInfo,
  specs: readonly NativeTensorSpec[],
  data: Uint8Array,
): Promise<void> {
  const { served, pieces } = pickTensors(specs, data, isGenerator);
  await writeSafetensors(path, served, pieces, modelMetadata({ ...info, kind: 'translator' }));
}
