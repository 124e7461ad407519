import { readFile } from 'node:fs/promises';
import test from 'ava';
import { evaluate, generatePhantom, listTiles, loadEncoder, renderManifold, train } from '../../lib/index.js';
import { closest } from '../../lib/internal/closest.js';
import {
  encoderSchema,
  evaluateSchema,
  phantomSchema,
  trainSchema,
  validate,
} from '../../lib/internal/validate.js';

const minimal = { tiles: 'a', out: 'b' };

test('defaults are those that ts/types.ts documents', async (t) => {
  const files = ['types.ts', 'types/evaluation.ts'];
  const texts = await Promise.all(
    files.map((file) => readFile(new URL(`../../ts/${file}`, import.meta.url), 'utf8')),
  );
  const source = texts.join('\n');
  const schemas = {
    RuntimeOptions: [encoderSchema, {}],
    TileSelection: [trainSchema, minimal],
    TrainOptions: [trainSchema, minimal],
    ManifoldOptions: [trainSchema, minimal, 'manifold'],
    LossWeights: [trainSchema, minimal, 'weights'],
    EncoderOptions: [encoderSchema, {}],
    EvaluateOptions: [evaluateSchema, { tiles: 'a', model: 'b', batchColumn: 'c' }],
    PhantomOptions: [phantomSchema, { out: 'b' }],
  };
  let compared = 0;
  for (const [name, [schema, options, part]] of Object.entries(schemas)) {
    const validated = validate(schema, options);
    const filled = part ? validated[part] : validated;
    const body = source.match(new RegExp(`interface ${name}\\b[^{]*\\{([\\s\\S]*?)\\n\\}`))[1];
    for (const [, doc, field] of body.matchAll(/\/\*\*([\s\S]*?)\*\/\s*(\w+)\?:/g)) {
      const stated = doc.match(/Default `?([\w.-]+(?: MiB)?)`?/)?.[1]?.replace(/\.$/, '');
      if (stated === undefined || stated === 'both') continue;
      const value = stated.endsWith(' MiB') ? `${Number.parseInt(stated, 10) * 2 ** 20}` : stated;
      t.is(
        String(filled[field]),
        Number.isNaN(Number(value)) ? value : String(Number(value)),
        `${name}.${field}`,
      );
      compared++;
    }
  }
  t.true(compared >= 25, `${compared} documented defaults found`);
});

const outside = [
  [{ batchSize: 1 }, /^batchSize must be an integer from 2 to 4096, got 1\./],
  [{ batchSize: 2.5 }, /batchSize.*got 2\.5/],
  [{ batchSize: '32' }, /got '32'/],
  [{ batchSize: null }, /got null/],
  [{ epochs: 0 }, /epochs must be an integer from 1/],
  [{ learningRate: 0 }, /learningRate must be a number above 0, got 0/],
  [{ learningRate: Number.NaN }, /got NaN/],
  [{ warmup: 0.6 }, /warmup must be a number from 0 to 0\.5/],
  [{ tileSize: 100 }, /tileSize must be a multiple of 32 from 32 to 1024, got 100/],
  [{ size: 'huge' }, /size must be 'tiny' or 'small' or 'base', got 'huge'/],
  [{ device: 'gpu' }, /device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'gpu'/],
  [{ seed: -1 }, /seed must be an integer of at least 0/],
  [{ weights: { scatter: -1 } }, /weights\.scatter must be a number of at least 0, got -1/],
  [{ weights: 3 }, /weights must be an object, got 3/],
  [{ manifold: { labs: 0 } }, /manifold\.labs must be an integer from 1 to 4096/],
  [{ where: { site: 3 } }, /where\.site must be a string, got 3/],
  [{ signal: {} }, /signal must be an AbortSignal, got an object/],
  [{ onProgress: 1 }, /onProgress must be a function, got 1/],
  [{ tiles: undefined }, /tiles must be the path of a folder, CSV manifest or pack, got undefined/],
];
for (const [options, message] of outside) {
  test(`range: ${JSON.stringify(options)}`, async (t) => {
    await t.throwsAsync(train({ ...minimal, ...options }), { code: 'STAINFOLD_OPTION', message });
  });
}

test('options that are no object', async (t) => {
  for (const options of [undefined, null, 'x', 3]) {
    await t.throwsAsync(train(options), {
      code: 'STAINFOLD_OPTION',
      message: /The options must be an object/,
    });
  }
});

test('unknown names are told with what was probably meant, and before anything that is missing', async (t) => {
  const unknown = (message) => ({ code: 'STAINFOLD_OPTION_UNKNOWN', message });
  await t.throwsAsync(
    train({ ...minimal, batchsize: 4 }),
    unknown(/no option 'batchsize': did you mean 'batchSize'\?/),
  );
  await t.throwsAsync(train({ tile: 'a', out: 'b' }), unknown(/did you mean 'tiles'/));
  await t.throwsAsync(
    train({ ...minimal, weights: { scater: 1 } }),
    unknown(/'weights\.scater': did you mean 'scatter'/),
  );
  await t.throwsAsync(
    train({ ...minimal, manifold: { lab: 1 } }),
    unknown(/'manifold\.lab': did you mean 'labs'/),
  );
  const error = await t.throwsAsync(
    train({ ...minimal, xyzzyxyzzy: 1 }),
    unknown(/no option 'xyzzyxyzzy'\. The options are/),
  );
  t.regex(error.hint, /learningRate/);
});

test('every entry point refuses unknown options', async (t) => {
  const calls = [
    train({ ...minimal, nope: 1 }),
    loadEncoder('x', { nope: 1 }),
    evaluate({ tiles: 'a', model: 'b', batchColumn: 'c', nope: 1 }),
    generatePhantom({ out: 'a', nope: 1 }),
    listTiles({ tiles: 'a', nope: 1 }),
    renderManifold([], { tileSize: 32, nope: 1 }),
  ];
  for (const call of calls) await t.throwsAsync(call, { code: 'STAINFOLD_OPTION_UNKNOWN' });
});

test('what is validated is a copy: frozen, with undefined taken as absent', (t) => {
  const where = { site: 'A' };
  const validated = validate(trainSchema, { ...minimal, where, epochs: undefined });
  t.is(validated.epochs, 30);
  t.true(Object.isFrozen(validated));
  where.site = 'B';
  t.deepEqual(validated.where, { site: 'A' });
});

test('closest: the nearest name within reach', (t) => {
  t.is(closest('latnet', ['latent', 'labs']), 'latent');
  t.is(closest('LATENT', ['latent']), 'latent');
  t.is(closest('zzzzzz', ['latent']), undefined);
  t.is(closest('', ['latent']), undefined);
});
