// A report on features whose tiles were scored as they were embedded reads no tile again, and shows what one that reads them does.
import { readFileSync } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { modelPath } from '../../lib/api/pretrained.js';
import { embedSlides, fitOutliers, generatePhantom, loadEncoder, writeSlideReport } from '../../lib/index.js';
import { sharedFolder } from '../data/tiles.js';
import { writeTissueSlide } from './tissue-slide.js';

const CPU = { device: 'cpu', threads: 1 };
const folder = sharedFolder(test);
const tiling = { minTissue: 0.9 };

test('one pass: the same statuses, rows and nearly the same scores; other statistics are not mistaken for these', async (t) => {
  const slide = join(folder, 'a.tif');
  await writeTissueSlide(slide, [' ttt ', ' tbt ', ' ttt ']);
  const model = join(folder, 'model.safetensors');
  await copyFile(modelPath('phantom-tiny'), model);
  const encoder = await loadEncoder(model, CPU);
  t.teardown(() => encoder.dispose());
  const out = join(folder, 'features');
  const made = await embedSlides(encoder, { slides: slide, out, tiling, scores: true, chunkTiles: 64 });
  const plain = await embedSlides(encoder, {
    slides: slide,
    out: join(folder, 'plain'),
    tiling,
    chunkTiles: 64,
  });
  const features = made.slides[0].files[0];
  t.deepEqual(
    readFileSync(features),
    readFileSync(plain.slides[0].files[0]),
    'features are as without scores',
  );
  t.true(made.slides[0].rejected.blur > 0);

  const report = async (name, options) => {
    let looks = 0;
    const { slides } = await writeSlideReport(join(folder, `${name}.html`), options.encoder ?? encoder, {
      slides: [slide],
      tiling,
      pictures: join(folder, name),
      onProgress: () => looks++,
      ...(options.features && { features: [options.features] }),
    });
    t.is(slides[0].error, undefined);
    return { ...slides[0], looks };
  };
  const kept = await report('kept', { features });
  t.is(kept.looks, 1, 'no tile is read');
  const again = await report('again', { features: plain.slides[0].files[0] });
  t.true(again.looks > 64, 'without scores the tiles are read');
  t.deepEqual([kept.tiles, kept.flagged], [again.tiles, again.flagged]);
  for (const name of ['tiles', 'components', 'similarity', 'montage'])
    t.deepEqual(await readFile(kept.pictures[name]), await readFile(again.pictures[name]), name);
  t.truthy(kept.pictures.ood);

  const { manifest } = await generatePhantom({
    out: join(folder, 'tiles'),
    tiles: 24,
    labs: 1,
    tileSize: 64,
    ...CPU,
  });
  await fitOutliers({ model, tiles: manifest, ...CPU });
  const refitted = await loadEncoder(model, CPU);
  t.teardown(() => refitted.dispose());
  t.true((await report('refitted', { features, encoder: refitted })).looks > 64);
});
