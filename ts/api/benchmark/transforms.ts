/** Where a row's altered tiles come from. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NativeAddon } from '../../internal/native.js';
import { validate } from '../../internal/validate.js';
import { trainTranslatorSchema } from '../../internal/validate-translator.js';
import { translateTiles } from '../translator.js';
import { trainTranslatorWith } from '../translator-train.js';
import { normalizerOf } from './normalizer.js';
import type { BenchmarkPlan, Job } from './plan.js';
import type { TileTransform } from './prepare.js';
import { isTranslator, type Normalizer, type Translator } from './rows.js';

/** Opens the transform of a row that has one. `report`: the part of its training that is done. */
export function openTransform(
  native: NativeAddon,
  plan: BenchmarkPlan,
  { spec, seed }: Job,
  report: (part: number) => void,
): (folder: string) => Promise<TileTransform> {
  const { tiles } = spec;
  if (isTranslator(tiles)) return (folder) => translatorOf(native, plan, tiles, seed, folder, report);
  return () => normalizerOf(plan, tiles as Normalizer);
}

/** Trains a translator between the source and all other sites together, in `folder`, where it can be continued. */
async function translatorOf(
  native: NativeAddon,
  plan: BenchmarkPlan,
  variant: Translator,
  seed: number,
  folder: string,
  report: (part: number) => void,
): Promise<TileTransform> {
  const { tiles, settings } = plan;
  const { batchColumn, source, signal } = settings;
  const out = join(folder, 'translator');
  const model = join(out, 'model.safetensors');
  if (!existsSync(model)) {
    const begun = ['checkpoint.safetensors', 'metrics.jsonl'].some((name) => existsSync(join(out, name)));
    const options = validate(trainTranslatorSchema, {
      ...translatorOptions(plan, variant, seed),
      out,
      resume: begun,
      ...(signal && { signal }),
      onProgress: ({ step, steps }: { step: number; steps: number }) => report(step / steps),
    });
    const isSource = ({ labels }: { labels: Record<string, string> }): boolean =>
      labels[batchColumn] === source;
    const pair = { source: tiles.filter(isSource), target: tiles.filter((tile) => !isSource(tile)) };
    await trainTranslatorWith(async () => native, pair, options);
  }
  const { device, precision } = settings;
  return {
    keepsSource: true,
    apply: (images) => translateTiles(model, images, { device, precision, ...(signal && { signal }) }),
    dispose: async () => undefined,
  };
}

/** The translator's options, but for where it is written. */
export function translatorOptions(
  { settings, tileSize }: Pick<BenchmarkPlan, 'settings' | 'tileSize'>,
  variant: Translator,
  seed: number,
): Record<string, unknown> {
  const { gan, device, precision } = settings;
  return { ...gan, variant, tileSize, seed, device, precision };
}
