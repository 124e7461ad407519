// Invariant: as in the corpus, for inputs that are too large to be kept in it: what takes time or memory out of proportion.
import { readdirSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { decodeTile } from '../../lib/data/decode.js';
import { openEmbeddingFile } from '../../lib/data/embedding-file.js';
import { readSafetensors, writeSafetensors } from '../../lib/data/safetensors.js';
import { openTileSet } from '../../lib/data/tile-set.js';
import { StainfoldError } from '../../lib/errors.js';
import { picture, writeTiff } from '../slides/pyramids.js';
import { temporaryFolder } from '../temporary.js';
import { corpusOf, targetNamed } from './targets.js';
import { verdict } from './verdict.js';

const folder = temporaryFolder('fuzz-large');
const ASCII = 2;
const DESCRIPTION = 270;

async function slideVerdict(bytes) {
  return verdict(await targetNamed('slide'), bytes, folder);
}

function described(description) {
  const path = join(folder, 'described.tif');
  writeTiff(path, [picture(40, 40)], { tile: 32, tags: [[DESCRIPTION, ASCII, description]] });
  return path;
}

test.serial('a slide whose directories lie over one another', async (t) => {
  // Each a little later than the one before it, and about as long as a directory can be: 4096 times 60000 entries.
  const bytes = Buffer.alloc(900_000, 0xff);
  bytes.write('II*\0', 0, 'latin1');
  bytes.writeUInt32LE(8, 4);
  for (let i = 0; i < 4096; i++) {
    const at = 8 + 4 * i;
    bytes.writeUInt16LE(60_000, at);
    bytes.writeUInt32LE(at + 4, at + 2 + 60_000 * 12);
  }
  t.is(await slideVerdict(bytes), undefined);
});

for (const [what, tag] of Object.entries({
  'tags that never end': '<Pixels ',
  'attributes that never end': "<Pixels PhysicalSizeX='",
  'prefixes that never end': '<aaaaaaaa:',
})) {
  test.serial(`a slide whose description has ${what}`, async (t) => {
    const path = described(`<OME>${tag.repeat(Math.floor(900_000 / tag.length))}`);
    t.is(await slideVerdict(readFileSync(path)), undefined);
  });
}

test.serial('metadata of megabytes in a safetensors file', async (t) => {
  const path = join(folder, 'long.safetensors');
  const tiles = JSON.stringify(['x"\\'.repeat(4_000_000)]);
  await writeSafetensors(path, [], [], { tiles });
  t.is((await readSafetensors(path)).metadata.tiles, tiles);
});

test.serial('a Parquet page that claims what it cannot hold', async (t) => {
  const { bytes } = corpusOf('parquet').find(({ name }) => name === 'regression-values-of-a-page');
  const path = join(folder, 'claims.parquet');
  await writeFile(path, bytes);
  const claims = { code: 'STAINFOLD_EMBEDDINGS', message: /a page at byte 101/ };
  await t.throwsAsync(openEmbeddingFile(path), claims);
  for (const { name, bytes: whole } of corpusOf('parquet').filter(
    ({ name }) => !name.startsWith('regression'),
  )) {
    await writeFile(path, whole);
    t.is((await openEmbeddingFile(path)).rows, 3, name);
  }
});

test.serial('a message quotes so much of a file and no more', (t) => {
  const { message, hint } = new StainfoldError('STAINFOLD_MANIFEST', `a${' '.repeat(1_000_000)}b`);
  t.true(message.length < 2500 && message.endsWith(hint));
});

test.serial('a pack that is replaced again and again gives its descriptors back', async (t) => {
  const path = join(folder, 'tiles.pack');
  const pack = corpusOf('pack').find(({ name }) => name === 'two-tiles');
  const descriptors = () => readdirSync('/proc/self/fd').length;
  if (process.platform !== 'linux') return t.pass('descriptors are counted in /proc');
  let before;
  for (let round = 0; round < 40; round++) {
    await writeFile(`${path}.new`, pack.bytes);
    await rename(`${path}.new`, path);
    const { tiles } = await openTileSet({ tiles: path });
    await decodeTile(tiles[0].path, 32);
    if (round === 5) before = descriptors();
  }
  t.true(descriptors() - before < 10, `${descriptors() - before} more after 34 rounds`);
});
