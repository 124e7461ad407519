// What lies around the core: the TypeScript interface, a folder of JPEG files, and a hundred times as many tiles.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { FOLDER } from './inputs.mjs';
import { amount, rowOf } from './rows.mjs';
import { median, spread } from './statistics.mjs';

const TILE = 224;

/** Sizes of encoders, and how many files each gets: seconds of work, on a GPU too. */
const FOLDERS = {
  quick: [['tiny', 128]],
  cpu: [
    ['tiny', 512],
    ['small', 256],
    ['base', 128],
  ],
  cuda: [['base', 4096]],
};

export async function pipeline(bench) {
  const { quick, brief, device } = bench;
  const rows = device === 'cpu' ? [] : [await facade(bench, 1)];
  if (!brief) rows.push(await facade(bench, 64));
  for (const [size, files] of FOLDERS[quick ? 'quick' : device === 'cpu' ? 'cpu' : 'cuda']) {
    rows.push(await folder(bench, size, files));
  }
  if (!quick && !brief) rows.push(await scaling(bench));
  return rows.filter((row) => row !== undefined);
}

/** Decoded tiles through encoder.embed(), beside one call of the native core. */
async function facade(bench, batch) {
  const size = bench.device === 'cpu' ? 'tiny' : 'base';
  const name = `interface, ${size} batch ${batch}`;
  if (!bench.wants(name)) return undefined;
  const given = await commonOf(bench, size, batch);
  const results = await bench.contest(
    [
      {
        name: 'encoder.embed()',
        contestant: bench.ours(),
        task: 'facade',
        case: { ...given, way: 'interface' },
      },
      { name: 'the core alone', contestant: bench.ours(), task: 'embed', case: given },
    ],
    {
      rounds: bench.quick ? 7 : 15,
      seconds: 0.25,
      onTurn: (who, what) => bench.progress(`${name}: ${who} ${what}`),
    },
  );
  const row = rowOf(
    { name, size, batch, tileSize: TILE, unit: 'tiles', units: batch, threads: bench.threads },
    results,
  );
  const [{ ratio }] = row.rivals;
  bench.say(
    `pipeline ${name}: ${amount(row.ours.perSecond)} tiles/s; ${percent(1 / ratio.median - 1)} more than the core alone`,
  );
  return row;
}

/** A folder of JPEG files to embeddings, beside decoding alone and embedding alone. */
async function folder(bench, size, files) {
  const name = `JPEG folder, ${size}, ${files} files`;
  if (!bench.wants(name)) return undefined;
  const batch = bench.device === 'cpu' ? 32 : 256;
  const given = { ...(await commonOf(bench, size, batch)), folder: await jpegFolder(bench, files) };
  const ours = (who, way) => ({
    name: who,
    contestant: bench.ours(),
    task: 'facade',
    case: { ...given, way },
  });
  const results = await bench.contest(
    [
      ours('files to embeddings', 'files'),
      ours('decoding alone', 'decode'),
      { name: 'embedding alone', contestant: bench.ours(), task: 'embed', case: given },
    ],
    { rounds: 5, seconds: 0.25, onTurn: (who, what) => bench.progress(`${name}: ${who} ${what}`) },
  );
  const [whole, decode, encode] = results;
  if (encode.rounds) encode.rounds = encode.rounds.map((seconds) => (seconds * files) / batch);
  const row = rowOf(
    { name, size, batch, tileSize: TILE, unit: 'tiles', units: files, threads: bench.threads },
    results,
  );
  // Of the pace of the slower part, and of what both could do if nothing but the cores were shared: they compute on the same ones.
  row.ofSlower = spread(
    whole.rounds.map((seconds, i) => Math.max(decode.rounds[i], encode.rounds[i]) / seconds),
  );
  row.ofBoth = spread(whole.rounds.map((seconds, i) => (decode.rounds[i] + encode.rounds[i]) / seconds));
  bench.say(
    `pipeline ${name}: ${amount(row.ours.perSecond)} tiles/s; ${row.ofSlower.median.toFixed(2)} of the slower of decoding (${amount(row.rivals[0].perSecond)}) and embedding (${amount(row.rivals[1].perSecond)})`,
  );
  return row;
}

/** Cost of a tile and resident memory, from 1,000 tiles to 100,000. */
async function scaling(bench) {
  const name = 'from 1,000 to 100,000 tiles';
  if (!bench.wants(name)) return undefined;
  const tileSize = 32;
  // Few dimensions: the embeddings are the caller's, and are held twice for a moment when the last have come.
  const { model } = await bench.inputs.model('tiny', tileSize, 8);
  const contestant = bench.ours();
  const given = {
    weights: model,
    tiles: await bench.inputs.tiles(64, tileSize),
    batch: 64,
    threads: bench.threads,
    device: bench.device,
    precision: 'fp32',
    way: 'stream',
  };
  await contestant.request({ do: 'open', task: 'facade', case: given });
  // Heaps and caches reach their size before anything is compared.
  await contestant.request({ do: 'measure', count: 10_000 });
  const counts = [1000, 10_000, 100_000];
  const points = [];
  for (const count of counts) {
    const tries = [];
    // A thousand tiles are over in less than a second: their median says more than one try.
    for (let i = 0; i < (count === 1000 ? 9 : count === 10_000 ? 3 : 1); i++) {
      bench.progress(`${name}: ${count.toLocaleString('en-US')}`);
      tries.push(await contestant.request({ do: 'measure', count }));
    }
    points.push({
      tiles: count,
      secondsPerTile: median(tries.map(({ seconds }) => seconds)) / count,
      // Of all cores: what other processes do to the clock on the wall, they do less to this.
      cpuSecondsPerTile: median(tries.map(({ cpu }) => cpu)) / count,
      residentBytes: median(tries.map(({ resident }) => resident)),
    });
  }
  const costs = points.map(({ cpuSecondsPerTile }) => cpuSecondsPerTile);
  const resident = points.map(({ residentBytes }) => residentBytes);
  const row = {
    name,
    tileSize,
    threads: bench.threads,
    points,
    // The most by which a tile of a longer stream costs more than one of a shorter.
    costGrowth: Math.max(...costs.map((cost, i) => cost / Math.min(...costs.slice(0, i + 1)))) - 1,
    residentGrowth: resident.at(-1) / resident[0] - 1,
  };
  bench.say(
    `pipeline ${name}: ${points.map(({ tiles, cpuSecondsPerTile, residentBytes }) => `${tiles.toLocaleString('en-US')}: ${(1e6 * cpuSecondsPerTile).toFixed(0)} us a tile, ${(residentBytes / 2 ** 20).toFixed(0)} MiB`).join('; ')}`,
  );
  return row;
}

async function commonOf({ inputs, threads, device }, size, batch) {
  const { model } = await inputs.model(size, TILE);
  return {
    weights: model,
    tiles: await inputs.tiles(batch, TILE),
    batch,
    threads,
    device,
    precision: device === 'cpu' ? 'fp32' : 'bf16',
    reference: join(FOLDER, `pipeline-${size}-${batch}.npy`),
  };
}

/** Phantom tiles as JPEG files of quality 90, as scanners write them. */
async function jpegFolder({ inputs }, count) {
  const path = join(FOLDER, `jpeg-${TILE}-${count}`);
  if (existsSync(path) && readdirSync(path).length === count) return path;
  mkdirSync(path, { recursive: true });
  const distinct = 64;
  const data = readFileSync(await inputs.tiles(distinct, TILE));
  const bytes = TILE * TILE * 3;
  const write = async (i) => {
    const at = (i % distinct) * bytes;
    await sharp(data.subarray(at, at + bytes), { raw: { width: TILE, height: TILE, channels: 3 } })
      .jpeg({ quality: 90 })
      .toFile(join(path, `${String(i).padStart(5, '0')}.jpg`));
  };
  for (let i = 0; i < count; i += distinct) {
    await Promise.all(Array.from({ length: Math.min(distinct, count - i) }, (_, k) => write(i + k)));
  }
  return path;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
