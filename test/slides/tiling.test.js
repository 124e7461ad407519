// Tissue is found, tiles lie on it in a fixed order, and each gets the status that was planted.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { openSlide, slideTiles, tileSlide } from '../../lib/index.js';
import { temporaryFolder } from '../temporary.js';
import { mppTags, picture, repeated, writeTiff } from './pyramids.js';
import { CELLS, MPP, SIDE, writeTissueSlide } from './tissue-slide.js';

const folder = temporaryFolder('tiling');
const PLAN = [
  '          ', //
  ' ttttttt  ',
  ' tbtgtft  ',
  ' ttttttt  ',
  ' tutktbd  ',
  ' ttttttt  ',
  ' ttttttt  ',
  ' ttttttt  ',
  '        t ',
];
const path = join(folder, 'tissue.tif');
await writeTissueSlide(path, PLAN);
const slide = await openSlide(path);
test.after.always(() => slide.dispose());

const OPTIONS = { tileSize: SIDE, mpp: MPP };
const coordsOf = ({ coords, count }) =>
  Array.from({ length: count }, (_, i) => [coords[2 * i], coords[2 * i + 1]]);
const planted = [];
for (const [row, line] of PLAN.entries()) {
  for (const [column, letter] of [...line].entries()) {
    if (CELLS[letter].status !== null)
      planted.push({ at: [column * SIDE, row * SIDE], status: CELLS[letter].status });
  }
}

test('every planted tile, where it is and what it is', async (t) => {
  const done = [];
  const tiling = await tileSlide(slide, { ...OPTIONS, onProgress: (...counts) => done.push(counts) });
  t.deepEqual(
    coordsOf(tiling),
    planted.map(({ at }) => at),
  );
  const wrong = planted
    .map(({ at, status }, i) => `${at}: ${status}, got ${tiling.status[i]}`)
    .filter((_, i) => planted[i].status !== tiling.status[i]);
  t.deepEqual(wrong, []);
  t.is(tiling.count, 49);
  t.deepEqual(tiling.counts, {
    ok: 43,
    background: 0,
    blur: 2,
    pen: 3,
    fold: 1,
    unreadable: 0,
    unchecked: 0,
  });
  t.true(tiling.tissue.every((share) => share > 0.9 && share <= 1));
  t.is(tiling.sizeLevel0, SIDE);
  t.is(tiling.slideMpp, slide.mpp);
  t.deepEqual(done.at(-1), [49, 49]);
  t.is(done.length, 49);
  // The mask is the plan, 16 of its pixels a cell.
  const { data, width, height, scale, share } = tiling.mask;
  t.deepEqual([width, height, scale], [160, 144, 16]);
  t.true(Math.abs(share - 49 / 90) < 0.03, `${share}`);
  let agree = 0;
  for (const [i, value] of data.entries()) {
    const letter = PLAN[Math.floor(Math.floor(i / width) / 16)][Math.floor((i % width) / 16)];
    if ((CELLS[letter].status !== null) === (value === 1)) agree++;
  }
  t.true(agree / data.length > 0.98, `${agree / data.length}`);
});

test('the same again, and unchecked', async (t) => {
  const [once, again] = await Promise.all([
    tileSlide(slide, { ...OPTIONS, quality: false }),
    tileSlide(slide, { ...OPTIONS, quality: false }),
  ]);
  t.deepEqual(once, again);
  t.is(once.counts.unchecked, 49);
});

test('overlap and other resolutions: corners are rounded level-0 pixels, and the whole tile is on the slide', async (t) => {
  const size = 100;
  const mpp = 0.7;
  const tiling = await tileSlide(slide, { tileSize: size, mpp, overlap: 25, minTissue: 0.9, quality: false });
  const step = (75 * mpp) / MPP;
  t.true(Math.abs(tiling.sizeLevel0 - 140) < 1e-9);
  t.true(tiling.count > 100);
  for (const [x, y] of coordsOf(tiling)) {
    t.is(x, Math.round(Math.round(x / step) * step));
    t.is(y, Math.round(Math.round(y / step) * step));
    t.true(x + tiling.sizeLevel0 <= slide.width + 0.5 && y + tiling.sizeLevel0 <= slide.height + 0.5);
  }
  t.true(tiling.tissue.every((share) => share >= 0.9));
  const loose = await tileSlide(slide, { tileSize: size, mpp, overlap: 25, minTissue: 0, quality: false });
  t.true(loose.count > tiling.count);
  t.true(loose.tissue.every((share) => share > 0));
});

test('limit takes from the top; sample draws by seed and keeps the order', async (t) => {
  const all = coordsOf(await tileSlide(slide, { ...OPTIONS, quality: false }));
  const first = coordsOf(await tileSlide(slide, { ...OPTIONS, quality: false, limit: 5 }));
  t.deepEqual(first, all.slice(0, 5));
  const draw = async (options) =>
    coordsOf(await tileSlide(slide, { ...OPTIONS, quality: false, ...options }));
  const drawn = await draw({ sample: 8, seed: 3 });
  t.is(drawn.length, 8);
  t.deepEqual(drawn, await draw({ sample: 8, seed: 3 }));
  t.notDeepEqual(drawn, await draw({ sample: 8, seed: 4 }));
  const places = drawn.map((at) => all.findIndex((other) => other.join() === at.join()));
  t.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
  t.false(places.includes(-1));
  t.is((await draw({ sample: 1000 })).length, 49);
});

const ring = (left, top, right, bottom) => [
  [left, top],
  [right, top],
  [right, bottom],
  [left, bottom],
  [left, top],
];

test('regions as QuPath exports them: features, holes, parts', async (t) => {
  const regions = {
    type: 'FeatureCollection',
    features: [
      {
        type: 'Feature',
        id: 'PathAnnotationObject',
        geometry: { type: 'Polygon', coordinates: [ring(0, 0, 1024, 1024), ring(256, 256, 768, 768)] },
        properties: { objectType: 'annotation', classification: { name: 'Tumor', color: [200, 0, 0] } },
      },
      {
        type: 'Feature',
        geometry: {
          type: 'MultiPolygon',
          coordinates: [[ring(1536, 0, 1792, 256)], [ring(2048, 0, 2200, 256)]],
        },
      },
      { type: 'Feature', geometry: { type: 'Point', coordinates: [9, 9] } },
    ],
  };
  const options = { ...OPTIONS, quality: false };
  const tiling = await tileSlide(slide, { ...options, regions });
  const expected = [];
  for (let row = 0; row < 4; row++) {
    for (let column = 0; column < 4; column++) {
      if (row === 0 || row === 3 || column === 0 || column === 3) expected.push([column * SIDE, row * SIDE]);
    }
    if (row === 0) expected.push([1536, 0], [2048, 0]);
  }
  t.deepEqual(coordsOf(tiling), expected);
  const cut = coordsOf(tiling).findIndex(([x]) => x === 2048);
  t.true(Math.abs(tiling.tissue[cut] - 152 / 256) < 0.04, `${tiling.tissue[cut]}`);
  const file = join(folder, 'regions.geojson');
  writeFileSync(file, JSON.stringify(regions.features));
  t.deepEqual(await tileSlide(slide, { ...options, regions: file }), tiling);
  writeFileSync(join(folder, 'tissue.geojson'), JSON.stringify(regions));
  t.deepEqual(await tileSlide(slide, { ...options, regions: folder }), tiling, 'by the name of the slide');
});

test('regions that are none', async (t) => {
  const refused = async (regions, message) => {
    const error = await t.throwsAsync(tileSlide(slide, { ...OPTIONS, regions }), {
      code: 'STAINFOLD_SLIDE_REGIONS',
    });
    t.regex(error.message, message);
  };
  await refused({ type: 'FeatureCollection', features: [] }, /no polygon/);
  await refused({ type: 'Circle' }, /no geometry of type Circle/);
  await refused({ type: 'Polygon', coordinates: [[[0, 0]]] }, /fewer than three points/);
  await refused(
    {
      type: 'Polygon',
      coordinates: [
        [
          ['a', 0],
          [1, 1],
          [2, 2],
        ],
      ],
    },
    /no pair of numbers/,
  );
  await refused({ type: 'Polygon' }, /no coordinates/);
  await refused({ type: 'FeatureCollection', features: 3 }, /3 is no GeoJSON/);
  const file = join(folder, 'broken.geojson');
  writeFileSync(file, '{');
  await refused(file, /broken\.geojson is no JSON/);
  await t.throwsAsync(tileSlide(slide, { ...OPTIONS, regions: join(folder, 'none') }), {
    code: 'STAINFOLD_FILE_NOT_FOUND',
  });
});

test('no tissue, no pixel size, and what tiles cannot be', async (t) => {
  const glass = join(folder, 'glass.tif');
  const white = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(241) };
  // The noise of a scanner on empty glass.
  for (let i = 0; i < white.data.length; i++) white.data[i] -= (i * 7919) % 5;
  writeTiff(glass, [repeated(white, 20, 20)], { tags: mppTags(0.5) });
  const error = await t.throwsAsync(tileSlide(glass), { code: 'STAINFOLD_SLIDE_EMPTY' });
  t.regex(error.message, /no tile of 224 pixels at 0\.5 µm.*--min-tissue/);

  const unknown = join(folder, 'unknown.tif');
  writeTiff(unknown, [picture(64, 64)]);
  await t.throwsAsync(tileSlide(unknown), { code: 'STAINFOLD_SLIDE_MPP' });
  await t.throwsAsync(tileSlide(slide, { tileSize: 64, overlap: 64 }), { code: 'STAINFOLD_OPTION' });
  await t.throwsAsync(tileSlide(slide, { tileSize: 4 }), { code: 'STAINFOLD_OPTION' });
  await t.throwsAsync(tileSlide(slide, { size: 4 }), { code: 'STAINFOLD_OPTION_UNKNOWN' });
  const signal = AbortSignal.abort(new Error('enough'));
  await t.throwsAsync(tileSlide(slide, { signal }), { message: 'enough' });
});

test('tiles stream in their order, with their pixels, from anywhere', async (t) => {
  const tiling = await tileSlide(slide, { ...OPTIONS, quality: false });
  const seen = [];
  for await (const tile of slideTiles(slide, tiling, { from: 7, rejected: true, ahead: 3 })) {
    const { data } = await slide.readRegion({ x: tile.x, y: tile.y, width: SIDE, height: SIDE });
    t.deepEqual(tile.pixels, data);
    seen.push([tile.index, tile.status]);
  }
  t.deepEqual(seen, planted.map(({ status }, i) => [i, status]).slice(7));
  const kept = [];
  for await (const tile of slideTiles(slide, tiling)) kept.push(tile.status);
  t.deepEqual(kept, Array(43).fill('ok'));
  const raw = [];
  for await (const tile of slideTiles(slide, tiling, { quality: false })) raw.push(tile.status);
  t.deepEqual(raw, Array(49).fill('unchecked'));
  await t.throwsAsync(slideTiles(slide, tiling, { from: 50 }).next(), { code: 'STAINFOLD_OPTION' });
});

/** A slide that counts its reads. */
function counted(reads, behaviour = () => undefined) {
  return new Proxy(slide, {
    get(target, name) {
      if (name !== 'readRegion') return Reflect.get(target, name, target);
      return async (region, options) => {
        reads.started++;
        reads.running++;
        reads.most = Math.max(reads.most, reads.running);
        try {
          behaviour(region);
          return await target.readRegion(region, options);
        } finally {
          reads.running--;
        }
      };
    },
  });
}

test('no more reads ahead than asked for, and none after leaving', async (t) => {
  const tiling = await tileSlide(slide, { ...OPTIONS, quality: false });
  const reads = { started: 0, running: 0, most: 0 };
  let taken = 0;
  for await (const _ of slideTiles(counted(reads), tiling, { quality: false, ahead: 4 })) {
    t.true(reads.started <= taken + 1 + 4, `${reads.started} started, ${taken} taken`);
    if (++taken === 10) break;
  }
  t.is(reads.running, 0, 'leaving waits for what is under way');
  t.true(reads.most <= 4);
  const { started } = reads;
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.is(reads.started, started);

  const controller = new AbortController();
  await t.throwsAsync(
    async () => {
      for await (const _ of slideTiles(counted(reads), tiling, { signal: controller.signal, ahead: 4 })) {
        controller.abort(new Error('enough'));
      }
    },
    { message: 'enough' },
  );
  t.is(reads.running, 0);
});

test('a tile that cannot be read rejects, or is told and left out', async (t) => {
  const file = join(folder, 'hole.tif');
  const { tileOffsets } = await writeTissueSlide(file, ['ttt']);
  const bytes = readFileSync(file);
  // In the midst of the second tile of level 0.
  const inside = Math.floor((tileOffsets[0][1] + tileOffsets[0][2]) / 2);
  bytes.fill(0, inside, inside + 64);
  writeFileSync(file, bytes);
  const damaged = await openSlide(file);
  const tiling = await tileSlide(damaged, {
    ...OPTIONS,
    minTissue: 0.2,
    regions: { type: 'Polygon', coordinates: [ring(0, 0, 768, 256)] },
  });
  t.deepEqual(tiling.status, ['ok', 'unreadable', 'ok']);
  t.is(tiling.counts.unreadable, 1);
  const unchecked = { ...tiling, status: Array(3).fill('unchecked') };
  await t.throwsAsync(
    async () => {
      for await (const _ of slideTiles(damaged, unchecked));
    },
    { code: 'STAINFOLD_SLIDE_READ' },
  );
  const told = [];
  const read = [];
  const onUnreadable = (...args) => told.push(args);
  for await (const { index } of slideTiles(damaged, unchecked, { onUnreadable })) read.push(index);
  t.deepEqual(read, [0, 2]);
  t.is(told.length, 1);
  t.is(told[0][0], 1);
  t.regex(told[0][1], /tile 1, 0/);
  await damaged.dispose();
});
