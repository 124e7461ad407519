import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { inspect, loadEncoder, PRETRAINED } from '../../lib/index.js';
import { temporaryFolder, writeTiles } from '../data/tiles.js';

for (const [name, path] of Object.entries(PRETRAINED)) {
  test(`${name} is a small model of stainfold's own tissue`, async (t) => {
    const { info, path: found } = await inspect(name);
    t.is(found, path);
    t.is(info.kind, 'model');
    t.true((await stat(path)).size <= 10 * 2 ** 20);
    t.true(Object.isFrozen(PRETRAINED));
  });

  test(`${name} embeds by its name`, async (t) => {
    const folder = await temporaryFolder(t);
    await writeTiles(folder, 2);
    const encoder = await loadEncoder(name, { device: 'cpu' });
    t.teardown(() => encoder.dispose());
    const { data, shape } = await encoder.embed([join(folder, 'tile0.png'), join(folder, 'tile1.png')]);
    t.deepEqual(shape, [2, encoder.info.latent]);
    t.true(data.every(Number.isFinite));
    t.notDeepEqual(data.slice(0, shape[1]), data.slice(shape[1]));
  });
}
