import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { StainfoldError } from '../../lib/errors.js';
import { replaceFile, replaceFolder, writeFailure, writeFileAtomic } from '../../lib/files/atomic.js';
import { sha256File } from '../../lib/files/digest.js';
import { temporaryFolder } from '../temporary.js';

const folder = () => temporaryFolder('atomic');

function systemError(code) {
  return Object.assign(new Error(`${code}: refused, write`), { code, syscall: 'write' });
}

test('writes text, bytes and pieces, and leaves nothing beside them', async (t) => {
  const dir = await folder();
  await writeFileAtomic(join(dir, 'text'), 'tissue');
  await writeFileAtomic(join(dir, 'bytes'), new Uint8Array([1, 2, 3]));
  await writeFileAtomic(join(dir, 'pieces'), [new Uint8Array([1, 2]), new Uint8Array([3])]);
  t.is(await readFile(join(dir, 'text'), 'utf8'), 'tissue');
  t.deepEqual([...(await readFile(join(dir, 'bytes')))], [1, 2, 3]);
  t.deepEqual([...(await readFile(join(dir, 'pieces')))], [1, 2, 3]);
  t.deepEqual((await readdir(dir)).sort(), ['bytes', 'pieces', 'text']);
});

for (const code of ['ENOSPC', 'EACCES', 'EROFS']) {
  test(`${code} in mid-write keeps the old content and removes the new`, async (t) => {
    const dir = await folder();
    const path = join(dir, 'checkpoint');
    await writeFile(path, 'complete');
    const error = await t.throwsAsync(
      replaceFile(path, async (file) => {
        await file.writeFile('half of');
        throw systemError(code);
      }),
      { instanceOf: StainfoldError, code: 'STAINFOLD_FILE_WRITE' },
    );
    t.regex(error.message, new RegExp(`${code}.*permissions and free disk space`));
    t.is(error.cause.code, code);
    t.is(await readFile(path, 'utf8'), 'complete');
    t.deepEqual(await readdir(dir), ['checkpoint']);
  });
}

test('a really full device is reported as such', async (t) => {
  const refused = await t.throwsAsync(writeFile('/dev/full', 'x'));
  const error = writeFailure('/dev/full', refused);
  t.is(error.code, 'STAINFOLD_FILE_WRITE');
  t.regex(error.message, /no space left on the device \(ENOSPC\)/);
});

test('what is not the file system passes unchanged', (t) => {
  const refused = Object.assign(new Error('connect EACCES'), { code: 'EACCES', syscall: 'connect' });
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
  for (const error of [refused, reset, new TypeError('x'), 'text', undefined])
    t.is(writeFailure('/f', error), error);
});

test('a folder that is missing or a path that is a folder rejects', async (t) => {
  const dir = await folder();
  await mkdir(join(dir, 'taken', 'inside'), { recursive: true });
  await t.throwsAsync(writeFileAtomic(join(dir, 'no', 'file'), 'x'), { code: 'STAINFOLD_FILE_WRITE' });
  await t.throwsAsync(writeFileAtomic(join(dir, 'taken'), 'x'), { code: 'STAINFOLD_FILE_WRITE' });
  t.deepEqual(await readdir(dir), ['taken']);
});

(process.getuid?.() === 0 ? test.skip : test)('a folder without permission rejects', async (t) => {
  const dir = await folder();
  await chmod(dir, 0o500);
  await t.throwsAsync(writeFileAtomic(join(dir, 'file'), 'x'), { code: 'STAINFOLD_FILE_WRITE' });
});

test('a path below a file is refused with its reason', async (t) => {
  const file = join(temporaryFolder('atomic'), 'file');
  await writeFile(file, 'x');
  const refused = { code: 'STAINFOLD_FILE_WRITE', message: /a part of the path is a file/ };
  await t.throwsAsync(writeFileAtomic(join(file, 'a'), 'y'), refused);
  await t.throwsAsync(
    replaceFolder(join(file, 'a'), () => t.fail('there is nothing to write to')),
    refused,
  );
});

test("the writer's own errors pass unchanged", async (t) => {
  const dir = await folder();
  const own = new StainfoldError('STAINFOLD_NON_FINITE', 'The loss is NaN');
  const thrown = await t.throwsAsync(
    replaceFile(join(dir, 'x'), async () => {
      throw own;
    }),
  );
  t.is(thrown, own);
  t.deepEqual(await readdir(dir), []);
});

test('sha256File agrees with the published vectors and reports progress', async (t) => {
  const dir = await folder();
  await writeFile(join(dir, 'abc'), 'abc');
  await writeFile(join(dir, 'million'), Buffer.alloc(1_000_000 * 3, 'a'));
  // FIPS 180-2, appendix B.1; and three million times 'a' in pieces must equal it at once.
  t.is(
    await sha256File(join(dir, 'abc')),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
  const seen = [];
  const digest = await sha256File(join(dir, 'million'), { onProgress: (done) => seen.push(done) });
  const { createHash } = await import('node:crypto');
  t.is(
    digest,
    createHash('sha256')
      .update(await readFile(join(dir, 'million')))
      .digest('hex'),
  );
  t.true(seen.length > 1);
  t.is(seen.at(-1), 3_000_000);
  await t.throwsAsync(sha256File(join(dir, 'abc'), { signal: AbortSignal.abort() }), { name: 'AbortError' });
});
