// Makes objects of a kind, again and again, and says what memory, threads and open files there were meanwhile: a line of JSON for each tenth.
// lifetimes.js '[[KIND, COUNT, "dispose" | "abandon"], ...]'
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkPack, loadEncoder, openSlide, packTiles, StainNormalizer } from '../../../lib/index.js';
import {
  addon,
  bytesOf,
  model,
  trainOptions,
  translatorModel,
  translatorOptions,
} from '../../native/fixtures.js';
import { library, skip, slideOf } from '../../slides/fake-openslide.js';
import { collect } from '../arrays.js';

const none = new Uint8Array(0);
const small = { ...model, latent: 8 };

async function opened(object, ...args) {
  await object.open(...args);
  return object;
}
const embedder = () => new addon.Embedder({ model: small, device: 'cpu', precision: 'fp32', seed: 1 });
const trainer = () => new addon.Trainer(trainOptions({ model: small }));
const translatorTrainer = () =>
  new addon.TranslatorTrainer(translatorOptions({ pool: 1, geometry: false, learningRate: 1e-3 }));

/** Weights of a translator, once. */
async function weights() {
  const made = await opened(translatorTrainer());
  const specs = made.layout();
  const data = new Uint8Array(bytesOf(specs));
  await made.exportState(data);
  await made.dispose();
  return [specs, data];
}

const kinds = {
  'Trainer, unopened': () => trainer,
  'Embedder, unopened': () => embedder,
  Trainer: () => () => opened(trainer()),
  Embedder: () => () => opened(embedder(), [], none),
  TranslatorTrainer: () => () => opened(translatorTrainer()),
  Translator: async () => {
    const [specs, data] = await weights();
    return () =>
      opened(new addon.Translator({ model: translatorModel, device: 'cpu', precision: 'fp32' }), specs, data);
  },
  OpenSlide: () => async () => {
    const slide = new addon.slide.OpenSlide({
      path: slideOf('S'),
      cacheBytes: 1 << 20,
      libraries: [library],
    });
    await slide.open();
    return { dispose: () => slide.close() };
  },
  loadEncoder: () => () => loadEncoder('phantom-tiny', { device: 'cpu', threads: 1 }),
  openSlide: () => () => openSlide(slideOf('S')),
  'replaced pack': async () => {
    const { makeSite } = await import('../site.js');
    const site = await makeSite();
    const out = join(site.folder, 'again.pack');
    let made = 0;
    return async () => {
      await packTiles({ tiles: site.manifest, where: { lab: '0' }, out });
      await checkPack(out);
      if (++made % 10 === 0) collect();
    };
  },
  StainNormalizer: () => async () => {
    await StainNormalizer.published({ device: 'cpu' });
    return { dispose: () => undefined };
  },
};

const round = async ([kind, times, end]) => {
  const make = await kinds[kind]();
  for (let i = 1; i <= times; i++) {
    const object = await make();
    if (end === 'dispose') await object.dispose();
    // Finalizers run between turns of the event loop, which disposing of what was never opened does not give up.
    if (i % 8 === 0) await new Promise(setImmediate);
    if (i % Math.ceil(times / 10) !== 0) continue;
    if (end === 'dispose') collect(); // what is left is held, not waiting to be collected
    const { rss, external } = process.memoryUsage();
    const count = (what) => (process.platform === 'linux' ? readdirSync(`/proc/self/${what}`).length : 0);
    console.log(
      JSON.stringify({ kind, end, done: i, rss, external, threads: count('task'), files: count('fd') }),
    );
  }
};

// One after the other in one process: what one kind leaves behind the next finds.
for (const each of JSON.parse(process.argv[2])) if (!(skip && /Slide/.test(each[0]))) await round(each);
