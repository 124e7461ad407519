import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from '../../lib/data/safetensors.js';
import { decodeHeader, decodeHeaderLength, encodeHeader } from '../../lib/data/safetensors-header.js';
import { temporaryFolder } from './tiles.js';

const damaged = { code: 'STAINFOLD_SAFETENSORS' };
const SIZES = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};
const bytesOf = ({ dtype, shape }) => shape.reduce((a, b) => a * b, SIZES[dtype]);

/** What a reader does, in memory. */
function parse(file) {
  const length = decodeHeaderLength(file.subarray(0, 8), file.length);
  return decodeHeader(file.subarray(8, 8 + length), file.length);
}

/** A file with the given header, whatever it says. */
function fileOf(header, dataBytes = 0) {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

const spec = fc.record({
  name: fc
    .string({ minLength: 1, unit: 'binary' })
    .filter((name) => name !== '__metadata__' && name.isWellFormed()),
  dtype: fc.constantFrom(...Object.keys(SIZES)),
  shape: fc.array(fc.nat(4), { maxLength: 3 }),
});
const specs = fc.uniqueArray(spec, { selector: ({ name }) => name, maxLength: 6 });
const metadata = fc
  .dictionary(fc.string(), fc.string(), { noNullPrototype: true })
  .filter((map) => !Object.hasOwn(map, '__proto__'));

test('round trip in memory: names, types, shapes, metadata; the tensors begin at a multiple of 8', (t) => {
  fc.assert(
    fc.property(specs, metadata, (tensors, texts) => {
      const header = encodeHeader(tensors, texts);
      const bytes = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
      const parsed = parse(Buffer.concat([header, Buffer.alloc(bytes)]));
      const order = (list) =>
        list.map(({ name, dtype, shape }) => JSON.stringify([name, dtype, shape])).sort();
      t.deepEqual(order(parsed.tensors), order(tensors));
      t.deepEqual({ ...parsed.metadata }, { ...texts });
      t.is(header.length % 8, 0);
    }),
    { numRuns: 300 },
  );
});

test('any truncation, extension or flipped header byte is refused or harmless, never a crash', (t) => {
  const tensors = [
    { name: 'a', dtype: 'F32', shape: [2, 3] },
    { name: 'b', dtype: 'I64', shape: [1] },
  ];
  const whole = Buffer.concat([encodeHeader(tensors, { k: 'v' }), Buffer.alloc(32, 1)]);
  for (let length = 0; length < whole.length; length++)
    t.throws(() => parse(whole.subarray(0, length)), damaged);
  t.throws(() => parse(Buffer.concat([whole, Buffer.alloc(1)])), damaged);
  fc.assert(
    fc.property(fc.nat(whole.length - 33), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bent = Buffer.from(whole);
      bent[at] ^= flip;
      try {
        parse(bent);
      } catch (error) {
        if (error.code !== 'STAINFOLD_SAFETENSORS') throw error;
      }
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      (noise) => t.throws(() => parse(noise), damaged) !== undefined,
    ),
  );
});

const f32 = (start, end, shape = [(end - start) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [start, end],
});
const refused = [
  ['an oversized header', Buffer.from('ffffffffffffffff', 'hex'), /limit is 100000000/],
  ['a header longer than the file', Buffer.from('1000000000000000', 'hex'), /claims 16 bytes/],
  ['no JSON', fileOf('{nonsense'), /not JSON/],
  ['no object', fileOf('[]'), /not a JSON object/],
  ['no UTF-8', Buffer.concat([Buffer.from('0200000000000000', 'hex'), Buffer.from([0xff, 0xfe])]), /UTF-8/],
  ['an unknown type', fileOf({ a: { ...f32(0, 4), dtype: 'F8' } }, 4), /type "F8"/],
  ['a type from the prototype', fileOf({ a: { ...f32(0, 4), dtype: 'constructor' } }, 4), /constructor/],
  ['a negative side', fileOf({ a: { ...f32(0, 4), shape: [-1] } }, 4), /shape \[-1\]/],
  ['a fractional side', fileOf({ a: { ...f32(0, 4), shape: [0.5] } }, 4), /shape/],
  ['a shape that is no list', fileOf({ a: { ...f32(0, 4), shape: 1 } }, 4), /shape 1/],
  ['a huge shape', fileOf({ a: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4), /offsets 4/],
  ['wrong offsets for the shape', fileOf({ a: f32(0, 8, [1]) }, 8), /has 4 bytes, its offsets 8/],
  ['reversed offsets', fileOf({ a: { dtype: 'F32', shape: [1], data_offsets: [4, 0] } }, 4), /offsets -4/],
  ['missing offsets', fileOf({ a: { dtype: 'F32', shape: [1] } }, 4), /offsets undefined/],
  ['overlapping tensors', fileOf({ a: f32(0, 8), b: f32(4, 12) }, 12), /'b' overlaps/],
  ['a hole', fileOf({ a: f32(0, 4), b: f32(8, 12) }, 12), /4 unused bytes before tensor 'b'/],
  ['bytes after the last tensor', fileOf({ a: f32(0, 4) }, 8), /the file at/],
  ['a missing tail', fileOf({ a: f32(0, 8) }, 4), /the file at/],
  [
    'a name twice',
    fileOf(
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
      4,
    ),
    /'a' occurs twice/,
  ],
  ['a metadata key twice', fileOf('{"__metadata__":{"k":"1","k":"2"}}'), /'k' occurs twice/],
  ['metadata that is no map of strings', fileOf({ __metadata__: { k: 1 } }), /map of strings/],
  ['an entry that is no object', fileOf({ a: null }), /'a' is not an object/],
];
for (const [what, file, message] of refused) {
  test(`refuses ${what}`, (t) => {
    t.throws(() => parse(file), { ...damaged, message });
  });
}

test('names that JavaScript treats specially keep their place', (t) => {
  const tensors = ['10', '__proto__', '2', 'constructor', 'a"b\\'].map((name) => ({
    name,
    dtype: 'U8',
    shape: [1],
  }));
  const { tensors: got } = parse(Buffer.concat([encodeHeader(tensors, {}), Buffer.alloc(5)]));
  t.deepEqual(
    got.map(({ name }) => name),
    tensors.map(({ name }) => name),
  );
});

test('files: written whole, read in part, same bytes every time', async (t) => {
  const path = join(await temporaryFolder(t), 'x.safetensors');
  const tensors = [
    { name: 'b', dtype: 'U8', shape: [3] },
    { name: 'a', dtype: 'F32', shape: [2] },
    { name: 'none', dtype: 'F32', shape: [0, 4] },
  ];
  const data = Uint8Array.from({ length: 11 }, (_, i) => i);
  await writeSafetensors(path, tensors, [data.subarray(0, 5), data.subarray(5)], { who: 'é' });
  const bytes = await readFile(path);
  await writeSafetensors(path, tensors, [data], { who: 'é' });
  t.deepEqual(await readFile(path), bytes);

  const all = await readSafetensors(path);
  t.deepEqual(all.data, data);
  t.is(all.metadata.who, 'é');
  t.deepEqual(all.tensors.map(({ name }) => name).sort(), ['a', 'b', 'none']);
  const part = await readSafetensors(path, ({ name }) => name === 'a');
  t.deepEqual(part.data, data.subarray(3));
  t.is((await readSafetensorsHeader(path)).tensors.length, 3);
});

test('files: what cannot be read or does not match', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'x.safetensors');
  await t.throwsAsync(readSafetensors(path), { code: 'STAINFOLD_FILE_NOT_FOUND', message: /x\.safetensors/ });
  await t.throwsAsync(readSafetensors(folder), { code: 'STAINFOLD_FILE_READ' });
  await writeFile(path, 'short');
  await t.throwsAsync(readSafetensors(path), {
    ...damaged,
    message: /x\.safetensors: Not a safetensors file: a file of 5 bytes/,
  });
  await t.throwsAsync(
    writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [2] }], [new Uint8Array(7)]),
    { ...damaged, message: /8 bytes, got 7/ },
  );
  t.is(await readFile(path, 'utf8'), 'short', 'a refused write leaves what was there');
  await t.throwsAsync(writeSafetensors(join(folder, 'no', 'x'), [], []), { code: 'STAINFOLD_FILE_WRITE' });
});
