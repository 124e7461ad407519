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
  'StainNormalizer',
  'StainfoldError',
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
  'writeReport',
];

test('exported values', (t) => {
  t.deepEqual(Object.keys(stainfold).sort(), VALUES);
});

const TYPES = [
  'Device',
  'EmbedOptions',
  'EmbeddingTile',
  'Embeddings',
  'Encoder',
  'EncoderOptions',
  'Inspection',
  'ListTilesOptions',
  'LossWeights',
  'ManifoldOptions',
  'ModelInfo',
  'ModelSize',
  'PhantomOptions',
  'PhantomResult',
  'Precision',
  'RawTile',
  'RenderOptions',
  'RuntimeOptions',
  'TileInput',
  'TileList',
  'TileSelection',
  'TrainOptions',
  'TrainProgress',
  'TrainResult',
  'UnreadableTile',
];

test('exported types', async (t) => {
  const declarations = await readFile(new URL('../../lib/types.d.ts', import.meta.url), 'utf8');
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
