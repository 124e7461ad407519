/** The rows of the benchmark: what each is, and which training options make it. */
import type { BenchmarkRow, BenchmarkTraining } from '../../types.js';

export type Normalizer = 'reinhard' | 'macenko' | 'vahadane' | 'histogram';
export type Translator = 'cyclegan' | 'staingan';

export interface RowSpec {
  title: string;
  /** Not trained: what describes a tile instead. */
  reference?: 'colour' | 'untrained';
  /** What the tiles go through before the encoder sees them. */
  tiles?: Normalizer | Translator;
  /** Whether `lmc` of the config applies. */
  lmc: boolean;
  /** Laid over the budget (and over `lmc`'s options); weights and manifold are merged. */
  training: BenchmarkTraining;
}

const RECONSTRUCTION_ONLY = { compaction: 0, scatter: 0, reconstruction: 1, adversarial: 0 };
const PLAIN: BenchmarkTraining = { weights: RECONSTRUCTION_ONLY, manifold: { strength: 0 } };

const autoencoder = (title: string, tiles?: Normalizer | Translator): RowSpec => ({
  title,
  lmc: false,
  training: PLAIN,
  ...(tiles && { tiles }),
});
const augmented = (title: string, kind: string): RowSpec => ({
  title,
  lmc: false,
  training: {
    weights: RECONSTRUCTION_ONLY,
    manifold: { kind } as NonNullable<BenchmarkTraining['manifold']>,
  },
});
const lmc = (title: string, training: BenchmarkTraining): RowSpec => ({ title, lmc: true, training });

/** In the order of the table. */
export const ROWS: Readonly<Record<BenchmarkRow, RowSpec>> = {
  colour: { title: 'Colour statistics', reference: 'colour', lmc: false, training: {} },
  untrained: { title: 'Untrained encoder', reference: 'untrained', lmc: false, training: {} },
  none: autoencoder('Autoencoder'),
  reinhard: autoencoder('Reinhard', 'reinhard'),
  macenko: autoencoder('Macenko', 'macenko'),
  vahadane: autoencoder('Vahadane', 'vahadane'),
  histogram: autoencoder('Histogram matching', 'histogram'),
  'hed-jitter': augmented('HED jitter', 'hed-jitter'),
  randstainna: augmented('RandStainNA', 'randstainna'),
  cyclegan: autoencoder('CycleGAN', 'cyclegan'),
  staingan: autoencoder('StainGAN', 'staingan'),
  lmc: lmc('LMC', {}),
  'lmc-no-compaction': lmc('LMC, no compaction', { weights: { compaction: 0, scatter: 0 } }),
  'lmc-no-adversary': lmc('LMC, no adversary', { weights: { adversarial: 0 } }),
  'lmc-no-decoder': lmc('LMC, no decoder', { weights: { reconstruction: 0 } }),
  'lmc-cross-correlation': lmc('LMC, cross-correlation', { compaction: 'cross-correlation' }),
};

export const ROW_NAMES = Object.keys(ROWS) as [BenchmarkRow, ...BenchmarkRow[]];

export function isTranslator(tiles: RowSpec['tiles']): tiles is Translator {
  return tiles === 'cyclegan' || tiles === 'staingan';
}

/** Options laid over one another from left to right: weights member by member, and a manifold over one of the same kind. */
export function mergeTraining(...layers: (BenchmarkTraining | undefined)[]): BenchmarkTraining {
  const merged: BenchmarkTraining = {};
  for (const layer of layers) {
    if (layer === undefined) continue;
    const { weights, manifold } = merged;
    Object.assign(merged, layer);
    if (weights && layer.weights) merged.weights = { ...weights, ...layer.weights };
    if (manifold && layer.manifold) merged.manifold = mergeManifold(manifold, layer.manifold);
  }
  return merged;
}

type Manifold = NonNullable<BenchmarkTraining['manifold']>;

function mergeManifold(under: Manifold, over: Manifold): Manifold {
  const kindOf = (manifold: Manifold): string | undefined => (manifold as { kind?: string }).kind;
  const other = kindOf(over) !== undefined && kindOf(over) !== kindOf(under);
  if (other || Array.isArray(under) || Array.isArray(over)) return over;
  return { ...under, ...over };
}
