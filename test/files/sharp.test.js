// Invariant: where sharp does not load, stainfold does, and says what to do once a picture is to be read.
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import sharp from 'sharp';
import { loadSharp } from '../../lib/files/sharp.js';
import { build, inChild, installed } from '../libtorch/addons.js';
import { temporary } from '../libtorch/fakes.js';

/** What `source` sets `out` to, in an application whose node_modules hold no sharp. */
function withoutSharp(source) {
  const lib = installed({ '@stainfold/linux-x64-cpu': build('cpu') });
  rmSync(fileURLToPath(lib('../../sharp')));
  const program = `
    const { doctor, readTile, listTiles } = await import('${lib('index.js')}');
    let out;
    try { ${source} } catch ({ code, message, hint }) { out = { code, message, hint }; }
    console.log(JSON.stringify(out));`;
  return inChild(program, { STAINFOLD_CACHE: temporary('cache') });
}

test('a picture: the error is of sharp, not of the file', async (t) => {
  const out = await withoutSharp("await readTile('/nowhere/tile.png', 32);");
  t.is(out.code, 'STAINFOLD_SHARP');
  t.regex(out.message, /^sharp cannot be loaded: Cannot find module 'sharp'\. Install it again/);
});

test("under Yarn's Plug'n'Play the remedy is Yarn's", async (t) => {
  const out = await withoutSharp("process.versions.pnp = '3'; await readTile('/nowhere/tile.png', 32);");
  t.is(out.code, 'STAINFOLD_SHARP');
  t.regex(out.hint, /nodeLinker: node-modules/);
});

test('doctor says so and goes on; pixels need no sharp', async (t) => {
  const source = `
    const { checks } = await doctor();
    const raw = { data: new Uint8Array(3072), width: 32, height: 32, channels: 3 };
    out = { check: checks.find(({ name }) => name === 'sharp'), bytes: (await readTile(raw, 32)).data.length };`;
  const { check, bytes } = await withoutSharp(source);
  t.is(check.status, 'fail');
  t.regex(check.detail, /^sharp cannot be loaded: Cannot find module 'sharp'$/);
  t.regex(check.remedy, /^Install it again.*npm install --include=optional sharp/);
  t.is(bytes, 3072);
});

test('loaded: one thread an image, no cache', (t) => {
  loadSharp();
  t.is(sharp.concurrency(), 1);
  t.is(sharp.cache().memory.max, 0);
});
