// The public surface, name by name: whoever adds or removes one says so here.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import test from 'ava';
import * as stainfold from '../../lib/index.js';

const VALUES = [
  'BENCHMARK_EXAMPLE',
  'BENCHMARK_ROWS',
  'BETTER_SIGNS',
  'ERRORS',
  'PRETRAINED',
  'StainNormalizer',
  'StainfoldError',
  'attributionSheet',
  'audit',
  'benchmark',
  'benchmarkMarkdown',
  'benchmarkTables',
  'bestRow',
  'collectReport',
  'conclude',
  'createManifest',
  'doctor',
  'encodeTile',
  'evaluate',
  'fitColourStatistics',
  'fitOutliers',
  'formatCell',
  'generatePhantom',
  'inspect',
  'installLibTorch',
  'listLibTorch',
  'listTiles',
  'loadEncoder',
  'normalizeTiles',
  'readBenchmarkConfig',
  'readTile',
  'removeLibTorch',
  'renderManifold',
  'resolveLibTorch',
  'separate',
  'separateTiles',
  'tabulate',
  'train',
  'verifyLibTorch',
  'writeEmbeddings',
  'writeManifoldSheet',
  'writeReport',
  'writeScores',
];

test('exported values', (t) => {
  t.deepEqual(Object.keys(stainfold).sort(), VALUES);
});

const TYPES = [
  'AttributeOptions',
  'AttributionMethod',
  'AttributionTarget',
  'Audit',
  'AuditOptions',
  'AuditQuantity',
  'AuditSite',
  'AuditSpread',
  'AuditWarning',
  'BenchmarkClaim',
  'BenchmarkComparison',
  'BenchmarkConfig',
  'BenchmarkCount',
  'BenchmarkOptions',
  'BenchmarkProgress',
  'BenchmarkResult',
  'BenchmarkResults',
  'BenchmarkRow',
  'BenchmarkRowResult',
  'BenchmarkRun',
  'BenchmarkScores',
  'BenchmarkSiteScores',
  'BenchmarkSummary',
  'BenchmarkTraining',
  'ColourStatistics',
  'ColourStatisticsOptions',
  'CreateManifestOptions',
  'CreatedManifest',
  'CustomManifold',
  'Device',
  'EmbedOptions',
  'EmbeddingTile',
  'Embeddings',
  'Encoder',
  'EncoderOptions',
  'EvaluateOptions',
  'Evaluation',
  'EvaluationRow',
  'FitOutliersOptions',
  'FitOutliersResult',
  'FluorescenceManifold',
  'HdabManifold',
  'HedJitterManifold',
  'Inspection',
  'IntensityManifold',
  'Interval',
  'LinearProbeResult',
  'ListTilesOptions',
  'LossWeights',
  'MacenkoJitterManifold',
  'ManifestLayout',
  'Manifold',
  'ManifoldCommon',
  'ManifoldKind',
  'ManifoldOptions',
  'ManifoldScaled',
  'ManifoldSheet',
  'ManifoldSheetOptions',
  'ManifoldTransform',
  'ModelInfo',
  'ModelSize',
  'NormalizeOptions',
  'NormalizeTilesOptions',
  'NormalizeTilesResult',
  'NormalizedTile',
  'PermanovaScore',
  'PhantomOptions',
  'PhantomResult',
  'PixelMap',
  'Precision',
  'ProbeResult',
  'ProbeScore',
  'RandScore',
  'RandStainNaManifold',
  'RawTile',
  'RenderOptions',
  'RetrievalHits',
  'RetrievalScore',
  'RuntimeOptions',
  'ScoreOptions',
  'SensitivityDirection',
  'SeparateOptions',
  'SeparateTilesOptions',
  'SeparateTilesResult',
  'SeparatedTile',
  'StainFitOptions',
  'StainMethod',
  'StainReference',
  'StainRuntime',
  'StainSet',
  'StainSpreads',
  'StainStatus',
  'TileAttribution',
  'TileInput',
  'TileList',
  'TileScores',
  'TileSelection',
  'TrainOptions',
  'TrainProgress',
  'TrainResult',
  'UnreadableTile',
];

test('exported types', async (t) => {
  const lib = new URL('../../lib/', import.meta.url);
  const index = await readFile(new URL('types.d.ts', lib), 'utf8');
  const parts = [...index.matchAll(/^export type \* from '\.\/(.+)\.js';/gm)].map(
    ([, name]) => `${name}.d.ts`,
  );
  const texts = await Promise.all(parts.map((name) => readFile(new URL(name, lib), 'utf8')));
  const declarations = [index, ...texts].join('\n');
  const names = [...declarations.matchAll(/^export (?:declare )?(?:interface|type) (\w+)/gm)].map(
    ([, name]) => name,
  );
  t.deepEqual(names.sort(), TYPES);
});

test('importing stainfold loads no native code', async (t) => {
  const index = new URL('../../lib/index.js', import.meta.url).href;
  const script = `await import(${JSON.stringify(index)});
    const { sharedObjects } = process.report.getReport();
    console.log(JSON.stringify(sharedObjects.filter((path) => /torch|stainfold/.test(path))));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  t.is(stdout.trim(), '[]');
});
