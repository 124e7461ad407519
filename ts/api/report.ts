import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { decodeTile } from '../data/decode.js';
import { openTileSet, type Tile } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { sharp } from '../files/sharp.js';
import type { ReportData, ReportImage, ReportTile } from '../report/data.js';
import { renderReport } from '../report/page.js';
import type { Evaluation, ModelInfo, RuntimeOptions, TileSelection, TrainProgress } from '../types.js';
import { loadEncoder } from './encoder.js';

export { type Comparison, type Conclusion, conclude } from '../report/conclude.js';
export type { ReportData, ReportImage, ReportTile } from '../report/data.js';
export {
  BETTER_SIGNS,
  type Better,
  bestRow,
  type EvaluationTable,
  formatCell,
  type MetricCell,
  type MetricColumn,
  tabulate,
} from '../report/table.js';

export interface ReportOptions extends Pick<TileSelection, 'tiles' | 'where'>, RuntimeOptions {
  /** One, or one for each seed; the pictures are of the first. */
  evaluation: Evaluation | readonly Evaluation[];
  /** The model of the (first) evaluation. metrics.jsonl beside it, where there is one, gives the training curves. */
  model: string;
  /** Sample tiles of each batch. Default 7. */
  samples?: number;
  /** Manifest that the samples are taken from: the same tissue under every lab, say. Default: `tiles`. */
  samplesFrom?: string;
}

/** Beyond this many batches the page would be long and heavy. */
const MAX_BATCHES = 12;
/** Side of a sample, pixels: about twice its size on the page. */
const SAMPLE_SIDE = 192;

/**
 * Gathers what a report shows beside the numbers: sample tiles of every batch, what the decoder draws of them, the training's
 * curves, the model's provenance.
 *
 * @example
 * const evaluation = await evaluate({ tiles, model, batchColumn: 'site' });
 * await writeReport('report.html', await collectReport({ evaluation, tiles, model }));
 *
 * @throws STAINFOLD_EVALUATE where no evaluation is given; what listTiles and loadEncoder throw.
 */
export async function collectReport(options: ReportOptions): Promise<ReportData> {
  const { evaluation, model, samples = 7, signal } = options;
  const first: Evaluation | undefined = 'rows' in evaluation ? evaluation : evaluation[0];
  if (first === undefined) {
    throw new StainfoldError('STAINFOLD_EVALUATE', 'A report needs an evaluation, got an empty list', {
      hint: 'Give what evaluate() returned.',
    });
  }
  const from = options.samplesFrom ?? options.tiles;
  const where = options.samplesFrom === undefined ? options.where : undefined;
  const set = await openTileSet({ tiles: from, ...(where && { where }) }, signal);
  const { info, tiles } = await drawSamples(chooseSamples(set.tiles, first, samples), options);
  const source = first.source ?? info.provenance.where[first.batchColumn];
  signal?.throwIfAborted();
  return {
    evaluation,
    model: info,
    tiles,
    training: await readTraining(join(dirname(model), 'metrics.jsonl')),
    ...(source === undefined ? {} : { source }),
  };
}

/**
 * Writes an evaluation as one HTML page that needs nothing else. Its folder must exist.
 *
 * @throws STAINFOLD_FILE_WRITE.
 */
export async function writeReport(path: string, data: ReportData): Promise<void> {
  await writeFileAtomic(path, await renderReport(data));
}

interface Sample {
  path: string;
  file: string;
  batch: string;
  label: string | null;
}

/** The same number of each batch, its labels in turn, in the manifest's order. */
function chooseSamples(tiles: readonly Tile[], evaluation: Evaluation, perBatch: number): Sample[] {
  const { batchColumn, labelColumn, batches, unreadable } = evaluation;
  const unusable = new Set(unreadable.map(({ file }) => file));
  return Object.keys(batches)
    .slice(0, MAX_BATCHES)
    .flatMap((batch) => {
      const byLabel = new Map<string, Sample[]>();
      for (const { path, file, labels } of tiles) {
        if (labels[batchColumn] !== batch || unusable.has(file)) continue;
        const label = (labelColumn === null ? null : labels[labelColumn]) || null;
        const list = byLabel.get(label ?? '') ?? [];
        byLabel.set(label ?? '', list);
        if (list.length < perBatch) list.push({ path, file, batch, label });
      }
      const lists = [...byLabel].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, list]) => list);
      const inTurn = Array.from({ length: perBatch }, (_, i) => lists.flatMap((list) => list[i] ?? []));
      return inTurn.flat().slice(0, perBatch);
    });
}

async function drawSamples(
  samples: readonly Sample[],
  { model, device, precision, threads, libtorch, signal }: ReportOptions,
): Promise<{ info: ModelInfo; tiles: ReportTile[] }> {
  await using encoder = await loadEncoder(model, {
    ...(device && { device }),
    ...(precision && { precision }),
    ...(threads && { threads }),
    ...(libtorch && { libtorch }),
    ...(signal && { signal }),
  });
  const { tileSize } = encoder.info;
  const drawn = await encoder.reconstruct(
    samples.map(({ path }) => path),
    signal ? { signal } : {},
  );
  const tiles: ReportTile[] = [];
  for (const [i, { path, ...sample }] of samples.entries()) {
    const original = await jpeg(await decodeTile(path, tileSize), tileSize);
    const reconstructed = drawn[i];
    tiles.push({
      ...sample,
      original,
      ...(reconstructed && { reconstruction: await jpeg(reconstructed.data, tileSize) }),
    });
  }
  return { info: encoder.info, tiles };
}

/** pixels: [side,side,3]. */
async function jpeg(pixels: Uint8Array, side: number): Promise<ReportImage> {
  const image = sharp(pixels, { raw: { width: side, height: side, channels: 3 } });
  const small = side > SAMPLE_SIDE ? image.resize(SAMPLE_SIDE) : image;
  return { mime: 'image/jpeg', data: await small.jpeg({ quality: 85 }).toBuffer() };
}

/** A model that was moved away from its run has no curves, and a line that a crash cut short is no step. */
async function readTraining(path: string): Promise<TrainProgress[]> {
  const steps: TrainProgress[] = [];
  try {
    await using file = await open(path);
    for await (const line of file.readLines()) {
      const step: unknown = JSON.parse(line);
      if (typeof step === 'object' && step !== null && 'step' in step && 'loss' in step) {
        steps.push(step as TrainProgress);
      }
    }
  } catch {
    return steps;
  }
  return steps;
}
