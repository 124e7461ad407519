/** The classical normalisers, fitted to the source. */
import { StainNormalizer } from '../stain-normalizer.js';
import type { BenchmarkPlan } from './plan.js';
import { readTile, type TileTransform } from './prepare.js';
import type { Normalizer } from './rows.js';

/** Fitted to `fitTiles` tiles of the source, evenly drawn, as if they were one; every tile is then normalised by itself. */
export async function normalizerOf(plan: BenchmarkPlan, method: Normalizer): Promise<TileTransform> {
  const { settings, tileSize } = plan;
  const { device, signal, normalizers } = settings;
  const tiles = sourceSample(plan).map((tile) => readTile(tile, tileSize));
  const readable = (await Promise.all(tiles)).filter((tile) => tile !== undefined);
  const normalizer = await StainNormalizer.fit(readable, {
    // The baselines are the published methods.
    ...((method === 'reinhard' || method === 'histogram') && { pixels: 'all' }),
    ...normalizers[method],
    method,
    device,
    ...(signal && { signal }),
  });
  const statuses: Record<string, number> = {};
  return {
    keepsSource: false,
    statuses,
    apply: async function* (images) {
      for await (const { tile, status } of normalizer.normalize(images, signal ? { signal } : {})) {
        statuses[status] = (statuses[status] ?? 0) + 1;
        yield tile;
      }
    },
    dispose: async () => undefined,
  };
}

function sourceSample({ tiles, settings }: BenchmarkPlan): BenchmarkPlan['tiles'] {
  const { batchColumn, source, fitTiles } = settings;
  const own = tiles.filter(({ labels }) => labels[batchColumn] === source);
  const count = Math.min(own.length, fitTiles);
  return Array.from({ length: count }, (_, i) => own[Math.floor(((i + 0.5) * own.length) / count)]).filter(
    (tile) => tile !== undefined,
  );
}
