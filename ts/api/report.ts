import { createReadStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import sharp from 'sharp';
import { decodeTile } from '../data/decode.js';
import { openTileSet } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import type { ReportData, ReportImage, ReportTile } from '../report/data.js';
import { renderReport } from '../report/page.js';
import type { Evaluation, ModelInfo, RuntimeOptions, TileSelection, TrainProgress } from '../types.js';
import { loadEncoder } from './encoder.js';

export { type Comparison, type Conclusion, conclude } from '../report/conclude.js';
export type { ReportData, ReportImage, ReportTile } from '../report/data.js';
export {
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
  const { info, tiles } = await drawSamples(chooseSamples(first, samples), options);
  const source =
    first.rows.find((row) => row.probe)?.probe?.source ?? info.provenance.where[first.batchColumn];
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

type Sample = Evaluation['tiles'][number];

/** The same number of each batch, going round its labels, evenly spread over the manifest. */
function chooseSamples({ tiles, batches }: Evaluation, perBatch: number): Sample[] {
  return Object.keys(batches)
    .slice(0, MAX_BATCHES)
    .flatMap((batch) => {
      const byLabel = new Map<string | null, Sample[]>();
      for (const tile of tiles) {
        if (tile.batch !== batch) continue;
        const list = byLabel.get(tile.label);
        if (list) list.push(tile);
        else byLabel.set(tile.label, [tile]);
      }
      const lists = [...byLabel]
        .sort(([a], [b]) => String(a).localeCompare(String(b)))
        .map(([, list]) => list);
      const each = Math.ceil(perBatch / Math.max(1, lists.length));
      return lists
        .flatMap((list) =>
          Array.from(
            { length: Math.min(each, list.length) },
            (_, i) => list[Math.floor((i * list.length) / each)],
          ),
        )
        .filter((tile) => tile !== undefined)
        .slice(0, perBatch);
    });
}

async function drawSamples(
  chosen: readonly Sample[],
  { tiles, where, model, device, precision, threads, libtorch, signal }: ReportOptions,
): Promise<{ info: ModelInfo; tiles: ReportTile[] }> {
  const set = await openTileSet({ tiles, ...(where && { where }) }, signal);
  const paths = new Map(set.tiles.map(({ file, path }) => [file, path]));
  const samples = chosen.flatMap((sample) => {
    const path = paths.get(sample.file);
    return path === undefined ? [] : [{ sample, path }];
  });
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
  const shown: ReportTile[] = [];
  for (const [i, { sample, path }] of samples.entries()) {
    const original = await jpeg(await decodeTile(path, tileSize), tileSize);
    const reconstructed = drawn[i];
    shown.push({
      ...sample,
      original,
      ...(reconstructed && { reconstruction: await jpeg(reconstructed.data, tileSize) }),
    });
  }
  return { info: encoder.info, tiles: shown };
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
    for await (const line of createInterface({ input: createReadStream(path) })) {
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
