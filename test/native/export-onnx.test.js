// The exported graph, run by a slow reference, gives the embeddings that the native core gives.
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { modelMetadata, readModel } from '../../lib/api/model-file.js';
import { writeSafetensors } from '../../lib/data/safetensors.js';
import { exportOnnx, loadEncoder } from '../../lib/index.js';
import { decodeModel, runModel } from '../data/onnx-reference.js';
import { temporaryFolder } from '../temporary.js';
import { bytesOf, exported, openTrainer, pixels } from './fixtures.js';

const folder = temporaryFolder('onnx');
const pretrained = await readModel('phantom-tiny', () => true);

/** A model of another tile size, whose weights are drawn and whose norms have seen a batch. */
async function otherModel(tileSize) {
  const trainer = await openTrainer({ model: { size: 'tiny', latent: 16, tileSize } });
  await trainer.step(pixels(4, 3, tileSize), 4, null, null, null);
  const specs = trainer.layout();
  const state = await exported(trainer);
  await trainer.dispose();
  const kept = [];
  const pieces = [];
  let offset = 0;
  for (const spec of specs) {
    const end = offset + bytesOf([spec]);
    if (spec.name.startsWith('encoder.')) {
      kept.push(spec);
      pieces.push(state.subarray(offset, end));
    }
    offset = end;
  }
  const path = join(folder, `model-${tileSize}.safetensors`);
  await writeSafetensors(path, kept, pieces, modelMetadata({ ...pretrained.info, latent: 16, tileSize }));
  return path;
}

/** Largest difference, in units of the largest value. */
async function difference(model, spoil = () => {}) {
  const out = join(folder, 'encoder.onnx');
  const { info } = await exportOnnx({ model, out });
  const graph = decodeModel(await readFile(out));
  spoil(graph);
  const encoder = await loadEncoder(model, { device: 'cpu', threads: 1 });
  const side = info.tileSize;
  const data = pixels(2, 5, side);
  const tiles = [0, 1].map((i) => ({
    data: data.subarray(i * side * side * 3, (i + 1) * side * side * 3),
    width: side,
    height: side,
    channels: 3,
  }));
  const z = await encoder.embed(tiles);
  await encoder.dispose();
  const found = runModel(graph, { shape: [2, side, side, 3], data: Float64Array.from(data) });
  if (String(found.shape) !== String(z.shape)) throw new Error(`[${found.shape}] for [${z.shape}]`);
  const largest = z.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return z.data.reduce((most, value, i) => Math.max(most, Math.abs(value - found.data[i])), 0) / largest;
}

// float32 sums of up to 1,728 products against float64 ones: a few 1e-6 of the largest value.
const TOLERANCE = 1e-4;

test.serial('the trained model: its embeddings come out', async (t) => {
  const apart = await difference('phantom-tiny');
  t.true(apart < TOLERANCE, `${apart} apart`);
});

test.serial('a grid of features that the layout does not divide', async (t) => {
  const apart = await difference(await otherModel(160));
  t.true(apart < TOLERANCE, `${apart} apart`);
});

test.serial('planted: weights of one layer that are off by a hundredth are seen', async (t) => {
  const apart = await difference('phantom-tiny', ({ graph }) => {
    const { raw_data: bytes } = graph.initializer.find(({ name }) => name === 'stage2.0.conv1.weight');
    const weights = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    for (let i = 0; i < weights.length; i++) weights[i] *= 1.01;
    new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length).set(new Uint8Array(weights.buffer));
  });
  t.true(apart > TOLERANCE, `${apart} apart`);
});

test.serial('what the file says of itself', async (t) => {
  const out = join(folder, 'said.onnx');
  const written = await exportOnnx({ model: 'phantom-tiny', out });
  const bytes = await readFile(out);
  t.is(written.bytes, bytes.length);
  t.deepEqual(written.input, { name: 'tiles', type: 'uint8', shape: ['N', 64, 64, 3] });
  t.deepEqual(written.output, { name: 'embedding', type: 'float32', shape: ['N', 128] });
  const model = decodeModel(bytes);
  t.is(model.ir_version, 8);
  t.deepEqual(model.opset_import, [{ domain: '', version: 17 }]);
  t.is(model.producer_name, 'stainfold');
  const [{ type }] = model.graph.input;
  t.is(type.tensor_type.elem_type, 2); // uint8
  t.deepEqual(
    type.tensor_type.shape.dim.map(({ dim_value: size, dim_param: symbol }) => symbol ?? size),
    ['N', 64, 64, 3],
  );
  const metadata = Object.fromEntries(model.metadata_props.map(({ key, value }) => [key, value]));
  t.is(metadata.size, 'tiny');
  t.is(metadata.tileSize, '64');
  t.is(metadata.latent, '128');
  t.deepEqual(JSON.parse(metadata.stainfold), pretrained.info);
});

test.serial('the same model gives the same bytes, over what was there', async (t) => {
  const out = join(folder, 'twice.onnx');
  await writeFile(out, 'something else');
  await exportOnnx({ model: 'phantom-tiny', out });
  const first = await readFile(out);
  await exportOnnx({ model: 'phantom-tiny', out });
  t.true(first.equals(await readFile(out)));
});

test.serial('what cannot be exported says why, and writes nothing', async (t) => {
  const out = join(folder, 'none.onnx');
  await t.throwsAsync(exportOnnx({ model: join(folder, 'absent.safetensors'), out }), {
    code: 'STAINFOLD_FILE_NOT_FOUND',
  });
  await t.throwsAsync(exportOnnx({ model: 'phantom-tiny', out, opset: 20 }), {
    code: 'STAINFOLD_OPTION_UNKNOWN',
  });
  const signal = AbortSignal.abort(new Error('enough'));
  await t.throwsAsync(exportOnnx({ model: 'phantom-tiny', out, signal }), { message: 'enough' });
  await t.throwsAsync(exportOnnx({ model: 'phantom-tiny', out: join(folder, 'no', 'folder.onnx') }), {
    code: 'STAINFOLD_FILE_WRITE',
  });
  const { specs, data, info } = pretrained;
  const without = join(folder, 'without.safetensors');
  const left = specs.findIndex(({ name }) => name === 'encoder.layout.gamma');
  const before = bytesOf(specs.slice(0, left));
  const pieces = [data.subarray(0, before), data.subarray(before + bytesOf([specs[left]]))];
  await writeSafetensors(
    without,
    specs.filter((_, i) => i !== left),
    pieces,
    modelMetadata(info),
  );
  await t.throwsAsync(exportOnnx({ model: without, out }), {
    code: 'STAINFOLD_WEIGHTS',
    message: /encoder\.layout\.gamma/,
  });
  t.false(existsSync(out));
});
