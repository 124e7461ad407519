/** The two files of a run: what they hold, and when a checkpoint may be continued. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Position } from '../data/loader.js';
import { tensorBytes, writeSafetensors } from '../data/safetensors.js';
import { StainfoldError } from '../errors.js';
import type { NativeTensorSpec } from '../internal/native.js';
import type { ModelInfo, TrainProgress, UnreadableTile } from '../types.js';
import { isServed, type ModelFile, modelMetadata, readModel, unusable } from './model-file.js';

/** Where a run stands between two steps. With the tensors: all that an exact continuation needs. */
export interface RunState<
  Place = Position,
  Unreadable = readonly UnreadableTile[],
  Last = Omit<TrainProgress, 'tilesPerSecond'>,
> {
  position: Place;
  unreadable: Unreadable;
  /** The last step's report, without its speed: checkpoints hold nothing that depends on the clock. */
  last: Last | null;
}

/** What a run is determined by, as its checkpoint says. */
export type Origin = Pick<ModelInfo, 'options'> & {
  provenance: Pick<ModelInfo['provenance'], 'dataDigest' | 'tiles' | 'device' | 'precision'>;
};

export interface Checkpoint extends ModelFile {
  state: RunState;
}

export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const file = await readModel(path, () => true);
  if (file.info.kind !== 'checkpoint' || file.run === undefined) {
    throw new StainfoldError(
      'STAINFOLD_CHECKPOINT',
      `${path} is a ${file.info.kind}: it has no optimiser to continue with`,
    );
  }
  return { ...file, state: parseRun(path, file.run) };
}

const count = z.int().min(0);
const place = z.object({ epoch: count, batch: count });
const unreadable = z.array(z.object({ file: z.string(), reason: z.string() }));
const last = z.object({ step: count }).nullable();
const oneSet = z.object({ position: place, unreadable, last });
/** Of a pair of sites. */
const twoSets = z.object({
  position: place.extend({ source: place, target: place }),
  unreadable: z.object({ source: unreadable, target: unreadable }),
  last,
});

/** Where a run stands, as its checkpoint says; throws STAINFOLD_CHECKPOINT where that cannot be. */
export function parseRun<State = RunState>(path: string, json: string, sets: 1 | 2 = 1): State {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    parsed = undefined;
  }
  const schema = sets === 1 ? oneSet : twoSets;
  if (!schema.safeParse(parsed).success) throw unusable(path, 'does not say where its run stands');
  return parsed as State;
}

export async function writeCheckpoint(
  path: string,
  info: ModelInfo,
  specs: readonly NativeTensorSpec[],
  data: Uint8Array,
  state: RunState,
): Promise<void> {
  await writeSafetensors(path, specs, [data], modelMetadata({ ...info, kind: 'checkpoint' }, state));
}

/** The encoder and decoder out of a trainer's whole state, and other tensors beside them. */
export async function writeModel(
  path: string,
  info: ModelInfo,
  specs: readonly NativeTensorSpec[],
  data: Uint8Array,
  beside: { specs: readonly NativeTensorSpec[]; data: Uint8Array },
): Promise<void> {
  const { served, pieces } = pickTensors(specs, data, isServed);
  await writeSafetensors(
    path,
    [...served, ...beside.specs],
    [...pieces, beside.data],
    modelMetadata({ ...info, kind: 'model' }),
  );
}

/** Some of the tensors that lie in `data` one after the other. */
export function pickTensors(
  specs: readonly NativeTensorSpec[],
  data: Uint8Array,
  keep: (spec: NativeTensorSpec) => boolean,
): { served: NativeTensorSpec[]; pieces: Uint8Array[] } {
  const served: NativeTensorSpec[] = [];
  const pieces: Uint8Array[] = [];
  let offset = 0;
  for (const spec of specs) {
    const end = offset + tensorBytes(spec);
    if (keep(spec)) {
      served.push(spec);
      pieces.push(data.subarray(offset, end));
    }
    offset = end;
  }
  return { served, pieces };
}

/** What was written before there were other kinds of manifold than H&E. */
function upgraded(options: Record<string, unknown>): Record<string, unknown> {
  const { manifold } = options;
  if (typeof manifold !== 'object' || manifold === null || Array.isArray(manifold)) return options;
  return { ...options, manifold: { kind: 'he', ...manifold } };
}

/** Throws STAINFOLD_CHECKPOINT_MISMATCH naming the first thing that differs. */
export function checkContinues(saved: Origin, now: Origin): void {
  const differs = (what: string, before: unknown, after: unknown): StainfoldError =>
    new StainfoldError(
      'STAINFOLD_CHECKPOINT_MISMATCH',
      `The checkpoint was written with ${what} ${JSON.stringify(before)}, this run has ${JSON.stringify(after)}`,
    );
  for (const name of new Set([...Object.keys(now.options), ...Object.keys(saved.options)])) {
    const [before, after] = [upgraded(saved.options)[name], now.options[name]];
    if (!isDeepStrictEqual(before, after)) throw differs(name, before, after);
  }
  const [before, after] = [saved.provenance, now.provenance];
  if (before.dataDigest !== after.dataDigest) {
    const counts = `${before.tiles} tiles then, ${after.tiles} now`;
    throw new StainfoldError(
      'STAINFOLD_CHECKPOINT_MISMATCH',
      `The tiles are not those of the checkpoint: their names, sizes or labels differ (${counts})`,
    );
  }
  // cuda:0 and cuda:1 compute the same; a CPU and a GPU do not.
  const kind = (device: string): string => device.replace(/:.*/, '');
  if (kind(before.device) !== kind(after.device)) throw differs('device', before.device, after.device);
  if (before.precision !== after.precision) throw differs('precision', before.precision, after.precision);
}
