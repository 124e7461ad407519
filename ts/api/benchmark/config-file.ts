/** Config files: JSON that may hold comments and commas after a last member, as people write them. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { readError } from '../../data/file-errors.js';
import { StainfoldError } from '../../errors.js';
import type { BenchmarkConfig } from '../../types.js';

/**
 * The options that a config file holds. `manifest` and `out` are made absolute: in the file they are relative to it.
 *
 * @example
 * const { results } = await benchmark(await readBenchmarkConfig('benchmark.json'));
 *
 * @throws STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ; STAINFOLD_OPTION where it is no JSON object.
 */
export async function readBenchmarkConfig(path: string): Promise<BenchmarkConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw readError(path, cause);
  }
  let config: unknown;
  try {
    config = JSON.parse(plainJson(text.replace(/^\uFEFF/, '')));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StainfoldError('STAINFOLD_OPTION', `${path} is not JSON: ${reason}`, {
      hint: "Correct it; 'npx stainfold benchmark --init' prints an example.",
      cause,
    });
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new StainfoldError('STAINFOLD_OPTION', `${path} must hold a JSON object`, {
      hint: "'npx stainfold benchmark --init' prints an example.",
    });
  }
  const folder = dirname(resolve(path));
  const absolute = (value: unknown): unknown =>
    typeof value === 'string' && value !== '' ? resolve(folder, value) : value;
  const { manifest, out, ...rest } = config as Record<string, unknown>;
  return {
    ...rest,
    ...(manifest !== undefined && { manifest: absolute(manifest) }),
    ...(out !== undefined && { out: absolute(out) }),
  } as unknown as BenchmarkConfig;
}

/** Without comments, and without commas before a closing bracket; what stands in strings is left alone. Lines stay where they are. */
function plainJson(text: string): string {
  const string = /"(?:[^"\\\n]|\\.)*"/;
  const tokens = new RegExp(`${string.source}|//[^\\n]*|/\\*[\\s\\S]*?\\*/`, 'g');
  const bare = text.replace(tokens, (token) => (token[0] === '"' ? token : token.replace(/[^\n]/g, ' ')));
  return bare.replace(
    new RegExp(`(${string.source})|,(?=\\s*[}\\]])`, 'g'),
    (_, kept?: string) => kept ?? ' ',
  );
}

/** What `stainfold benchmark --init` writes. */
export const BENCHMARK_EXAMPLE = `// The evidence protocol: train on one site, never touch the others, measure on all. See docs/benchmark.md.
{
  // CSV with a 'file' column and the columns named below. Paths are relative to this file.
  "manifest": "tiles/manifest.csv",
  // Models, embeddings, normalised tiles, results.json, table.md and report.html. Run it again to continue.
  "out": "benchmark",

  // What should not be readable from the embedding, and its one value that everything is trained on.
  "batchColumn": "site",
  "source": "A",
  // What should be: the classes of a linear probe. Leave it out, and there is no probe.
  "labelColumn": "label",
  // Patient or slide: the probe's split and the intervals never cut through one.
  "groupColumn": "slide",

  // Side in pixels, a multiple of 32. Default: the first tile's.
  "tileSize": 128,
  // All of them by default.
  "rows": [
    "colour", "untrained", "none",
    "reinhard", "macenko", "vahadane", "histogram",
    "hed-jitter", "randstainna",
    "cyclegan", "staingan",
    "lmc", "lmc-no-compaction", "lmc-no-adversary", "lmc-no-decoder", "lmc-cross-correlation",
  ],
  "seeds": [1, 2, 3],

  // The same for every row: any option of train, but tiles, folders, seeds and devices.
  "budget": { "epochs": 30, "batchSize": 32, "size": "tiny" },
  // For LMC and its ablations alone.
  "lmc": {},
  // For single rows: { "randstainna": { "learningRate": 5e-4 } }.
  "options": {},
  // Of reinhard, macenko, vahadane and histogram, and how many source tiles they are fitted to.
  "normalizers": {},
  "fitTiles": 256,
  // Of the translation networks; one for each seed, or one for all.
  "gan": { "epochs": 200, "width": 64 },
  "translatorPerSeed": true,
  // Neighbours, and draws behind each interval.
  "evaluation": { "k": 15, "bootstrap": 1000 },
}
`;
