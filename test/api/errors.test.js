// Every code of the table can happen: each is triggered here, or in the test named for it.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { modelMetadata } from '../../lib/api/model-file.js';
import { trainWith } from '../../lib/api/train.js';
import { readSafetensors, writeSafetensors } from '../../lib/data/safetensors.js';
import { lockFolder } from '../../lib/files/lock.js';
import {
  ERRORS,
  evaluate,
  inspect,
  listTiles,
  loadEncoder,
  readTile,
  StainfoldError,
  train,
  writeEmbeddings,
} from '../../lib/index.js';
import { loadNative } from '../../lib/internal/load.js';
import { trainSchema, validate } from '../../lib/internal/validate.js';
import { sharedFolder, writeTiles } from '../data/tiles.js';
import { fakeNative } from './fake-native.js';

/** A folder with tiles, a manifest, and a model and checkpoint trained for one step. */
const folder = sharedFolder(test);
let made;
async function workshop() {
  await writeTiles(folder, 4);
  await writeFile(
    join(folder, 'tiles.csv'),
    'file,site\ntile0.png,A\ntile1.png,A\ntile2.png,A\ntile3.png,A\n',
  );
  await writeFile(join(folder, 'broken.png'), 'broken');
  await writeFile(join(folder, 'empty.csv'), '');
  await mkdir(join(folder, 'nothing'));
  const options = {
    tiles: join(folder, 'tiles.csv'),
    out: join(folder, 'run'),
    batchSize: 4,
    epochs: 1,
    device: 'cpu',
  };
  const { model, checkpoint } = await train(options);
  return { folder, options, model, checkpoint };
}

/** The model without the tensors that `drop` names. */
async function modelWithout({ folder, model }, name, drop) {
  const { info } = await inspect(model);
  const { tensors, data } = await readSafetensors(model, (tensor) => !drop(tensor));
  const path = join(folder, name);
  await writeSafetensors(path, tensors, [data], modelMetadata(info));
  return path;
}

const TRIGGERS = {
  STAINFOLD_SHAPE: () => readTile({ data: new Uint8Array(5), width: 1, height: 1, channels: 3 }, 32),
  STAINFOLD_DTYPE: () => readTile({ data: new Float32Array(3), width: 1, height: 1, channels: 3 }, 32),
  STAINFOLD_OPTION: () => train({ tiles: 'a', out: 'b', epochs: 0 }),
  STAINFOLD_OPTION_UNKNOWN: () => train({ tiles: 'a', out: 'b', epoch: 1 }),
  STAINFOLD_DEVICE: ({ model }) => loadEncoder(model, { device: 'cuda:99' }),
  STAINFOLD_STATE: async (shop) => {
    const path = await modelWithout(shop, 'encoder.safetensors', ({ name }) => name.startsWith('decoder.'));
    const encoder = await loadEncoder(path, { device: 'cpu' });
    await encoder.reconstruct(join(shop.folder, 'tile0.png')).finally(() => encoder.dispose());
  },
  STAINFOLD_WEIGHTS: async (shop) => {
    let first = true;
    const path = await modelWithout(shop, 'holes.safetensors', ({ name }) => {
      const drop = first && name.startsWith('encoder.');
      first &&= !drop;
      return drop;
    });
    await loadEncoder(path, { device: 'cpu' });
  },
  STAINFOLD_NON_FINITE: ({ options, folder }) =>
    train({
      ...options,
      out: join(folder, 'diverged'),
      epochs: 20,
      learningRate: 1e30,
      warmup: 0,
      clipNorm: 0,
    }),
  STAINFOLD_MEMORY: async () => {
    const native = await loadNative();
    // The covariance of six million columns is 288 terabytes: more than a process can address.
    const z = { data: Float32Array.from({ length: 12e6 }, (_, i) => i & 1), rows: 2, columns: 6e6 };
    await native.metrics.principalComponents(z, 2);
  },
  STAINFOLD_FILE_NOT_FOUND: ({ folder }) => inspect(join(folder, 'none.safetensors')),
  STAINFOLD_FILE_READ: ({ folder }) => inspect(folder),
  STAINFOLD_FILE_WRITE: ({ folder }) =>
    writeEmbeddings(join(folder, 'no', 'z.npy'), { data: new Float32Array(0), shape: [0, 1] }, []),
  STAINFOLD_LOCKED: async ({ options, folder }) => {
    const out = join(folder, 'locked');
    const lock = await lockFolder(out);
    await train({ ...options, out }).finally(() => lock.release());
  },
  STAINFOLD_OUTPUT_EXISTS: ({ options }) => train(options),
  STAINFOLD_MANIFEST: ({ folder }) => listTiles({ tiles: join(folder, 'empty.csv') }),
  STAINFOLD_TILES_EMPTY: ({ folder }) => listTiles({ tiles: join(folder, 'nothing') }),
  STAINFOLD_TILE_UNREADABLE: ({ folder }) => readTile(join(folder, 'broken.png'), 32),
  STAINFOLD_SAFETENSORS: ({ folder }) => inspect(join(folder, 'broken.png')),
  STAINFOLD_CHECKPOINT: async ({ folder }) => {
    const path = join(folder, 'foreign.safetensors');
    await writeSafetensors(path, [], []);
    await loadEncoder(path);
  },
  STAINFOLD_CHECKPOINT_MISMATCH: ({ options }) => train({ ...options, resume: true, seed: 2 }),
  STAINFOLD_EVALUATE: ({ options, model }) => evaluate({ tiles: options.tiles, model, batchColumn: 'site' }),
  STAINFOLD_EMBEDDINGS: ({ options, folder }) =>
    evaluate({ tiles: options.tiles, embeddings: join(folder, 'broken.png'), batchColumn: 'site' }),
  STAINFOLD_DISPOSED: async ({ model, folder }) => {
    const encoder = await loadEncoder(model, { device: 'cpu' });
    await encoder.dispose();
    await encoder.embed(join(folder, 'tile0.png'));
  },
  // The table's last resort: whatever LibTorch throws. A core that throws a code of its own stands for it.
  STAINFOLD_INTERNAL: async ({ options, folder }) => {
    const native = fakeNative();
    native.Trainer.prototype.open = async () => {
      throw new StainfoldError('STAINFOLD_INTERNAL', 'CUDA error: an illegal instruction was encountered');
    };
    await trainWith(async () => native, validate(trainSchema, { ...options, out: join(folder, 'internal') }));
  },
};

/** Triggered where their machinery is tested. */
const ELSEWHERE = {
  STAINFOLD_LIBTORCH_MISSING: '../libtorch/resolve.test.js',
  STAINFOLD_LIBTORCH_VERSION: '../libtorch/resolve.test.js',
  STAINFOLD_LIBTORCH_MISMATCH: '../libtorch/load.test.js',
  STAINFOLD_LIBTORCH_LOAD: '../libtorch/load.test.js',
  STAINFOLD_LIBTORCH_INSTALL: '../libtorch/install.test.js',
  STAINFOLD_LIBTORCH_DIGEST: '../libtorch/install.test.js',
  STAINFOLD_PLATFORM: '../libtorch/host.test.js',
  STAINFOLD_ADDON_MISSING: '../libtorch/load.test.js',
  STAINFOLD_ADDON_VERSION: '../libtorch/load.test.js',
  STAINFOLD_ADDON_LOAD: '../libtorch/load.test.js',
  STAINFOLD_SHARP: '../files/sharp.test.js',
  STAINFOLD_COLLAPSE: './train.test.js',
  STAINFOLD_STAIN: './stain.test.js',
  STAINFOLD_PACK: './pack.test.js',
  STAINFOLD_OPENSLIDE_MISSING: '../slides/errors.test.js',
  STAINFOLD_SLIDE_FORMAT: '../slides/errors.test.js',
  STAINFOLD_SLIDE_READ: '../slides/errors.test.js',
  STAINFOLD_SLIDE_MPP: '../slides/errors.test.js',
  STAINFOLD_SLIDE_EMPTY: '../slides/tiling.test.js',
  STAINFOLD_SLIDE_REGIONS: '../slides/tiling.test.js',
};

test('every code has its trigger', (t) => {
  t.deepEqual([...Object.keys(TRIGGERS), ...Object.keys(ELSEWHERE)].sort(), Object.keys(ERRORS).sort());
});

for (const [code, trigger] of Object.entries(TRIGGERS)) {
  test.serial(code, async (t) => {
    made ??= workshop();
    const shop = await made;
    const error = await t.throwsAsync(async () => trigger(shop), { instanceOf: StainfoldError, code });
    t.true(error.hint.length > 0);
    t.true(error.message.endsWith(error.hint), error.message);
    t.true(error.message.length > error.hint.length + 10, 'the fact stands before the remedy');
  });
}

for (const [code, path] of Object.entries(ELSEWHERE)) {
  test(`${code} is triggered in ${path}`, async (t) => {
    const source = await readFile(new URL(path, import.meta.url), 'utf8');
    t.true(source.includes(`'${code}'`));
  });
}

test('docs/errors.md lists every code with its remedy, and no other', async (t) => {
  const text = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(STAINFOLD_\w+)` \| (.+?) \| (.+) \|$/gm)];
  t.deepEqual(Object.fromEntries(rows.map(([, code, , hint]) => [code, hint])), { ...ERRORS });
});

test('an error: one sentence after the other, whatever the detail ends with', (t) => {
  const cause = new Error('beneath');
  const error = new StainfoldError('STAINFOLD_OPTION', 'seed must be 1. ', { cause, hint: 'Give 1.' });
  t.is(error.message, 'seed must be 1. Give 1.');
  t.is(error.cause, cause);
  t.is(error.name, 'StainfoldError');
  t.false('cause' in new StainfoldError('STAINFOLD_OPTION', 'x'));
});
