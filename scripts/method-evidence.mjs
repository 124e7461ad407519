// node scripts/method-evidence.mjs --tiles MANIFEST --model M --rival M [options]
//
// What a table of sites cannot show: stains that nobody has. Tiles of the sites that were never trained on are rendered under virtual
// labs that training did not draw, within its prior (strength 1) and far outside (2, 3), and two encoders are compared on them:
//   retrieval   the same tile under another lab is the nearest of all: top-1
//   gain kept   AUROC of the linear probe, model minus rival, as a share of what it is on the tiles as they came
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { asCommand, Refusal } from './command.mjs';

const { values: options } = parseArgs({
  options: {
    tiles: { type: 'string' },
    model: { type: 'string' },
    rival: { type: 'string' },
    'batch-column': { type: 'string', default: 'site' },
    'label-column': { type: 'string' },
    source: { type: 'string' },
    limit: { type: 'string', default: '1000' },
    labs: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1001' },
    out: { type: 'string' },
  },
});

const STRENGTHS = [1, 2, 3];
const PENALTY = 100;

asCommand(import.meta.url, async () => {
  for (const name of ['tiles', 'model', 'rival', 'source', 'label-column']) {
    if (options[name] === undefined) throw new Refusal(`--${name} is missing`);
  }
  const { listTiles, loadEncoder, renderManifold, readTile } = await import('../lib/index.js');
  const { loadNative } = await import('../lib/internal/load.js');
  const native = await loadNative({});
  const column = options['batch-column'];
  const label = options['label-column'];
  const { tiles } = await listTiles({ tiles: options.tiles });
  const source = tiles.filter(({ labels }) => labels[column] === options.source);
  const unseen = evenly(
    tiles.filter(({ labels }) => labels[column] !== options.source),
    Number(options.limit),
  );
  const classes = [...new Set(tiles.map(({ labels }) => labels[label]))].sort();
  if (source.length === 0 || unseen.length === 0 || classes.length !== 2) {
    throw new Refusal(`${options.tiles} must hold the source, other batches, and two classes`);
  }
  const truth = (list) => Int32Array.from(list, ({ labels }) => classes.indexOf(labels[label]));

  const encoders = {
    model: await loadEncoder(options.model),
    rival: await loadEncoder(options.rival),
  };
  const { tileSize } = encoders.model.info;
  if (encoders.rival.info.tileSize !== tileSize) throw new Refusal('The two models must have one tile size');
  const plain = await Promise.all(unseen.map(({ path }) => readTile(path, tileSize)));

  const probes = {};
  for (const [name, encoder] of Object.entries(encoders)) {
    const home = standardised(
      await embed(
        encoder,
        source.map(({ path }) => path),
      ),
    );
    const auroc = async (z) => {
      const scores = await native.metrics.linearProbe(home.matrix, truth(source), home.apply(z), PENALTY);
      const positive = Float64Array.from({ length: z.rows }, (_, i) => scores[2 * i + 1]);
      return native.metrics.auroc(positive, Uint8Array.from(truth(unseen)));
    };
    probes[name] = { auroc, plain: await auroc(await embed(encoder, plain)) };
  }

  const rows = [];
  for (const strength of STRENGTHS) {
    const labs = await renderManifold(plain, {
      tileSize,
      seed: Number(options.seed),
      manifold: { labs: Number(options.labs), strength },
    });
    const row = { strength, gain: {} };
    for (const [name, encoder] of Object.entries(encoders)) {
      const views = [];
      for (const lab of labs) views.push(await embed(encoder, lab));
      const aurocs = [];
      for (const view of views) aurocs.push(await probes[name].auroc(view));
      row[name] = { auroc: mean(aurocs), top1: await retrieval(native, views) };
    }
    row.gain = row.model.auroc - row.rival.auroc;
    row.kept = row.gain / (probes.model.plain - probes.rival.plain);
    rows.push(row);
  }
  for (const encoder of Object.values(encoders)) await encoder.dispose();

  const asTheyCame = { model: probes.model.plain, rival: probes.rival.plain };
  print(asTheyCame, rows, unseen.length);
  if (options.out !== undefined) {
    const { seed, labs, source: home } = options;
    const result = {
      tiles: unseen.length,
      source: home,
      labs: Number(labs),
      seed: Number(seed),
      asTheyCame,
      rows,
    };
    await writeFile(options.out, `${JSON.stringify(result, null, 1)}\n`);
  }
});

async function embed(encoder, tiles) {
  const { data, shape } = await encoder.embed(tiles);
  return { data, rows: shape[0], columns: shape[1] };
}

/** Columns by the mean and deviation that they have in `z`, as evaluate does. */
function standardised(z) {
  const { rows, columns } = z;
  const moments = Array.from({ length: columns }, (_, c) => {
    const values = Array.from({ length: rows }, (_, r) => z.data[r * columns + c]);
    const middle = mean(values);
    return [middle, Math.sqrt(mean(values.map((value) => (value - middle) ** 2))) || 1];
  });
  const apply = ({ data, rows: count }) => ({
    rows: count,
    columns,
    data: data.map((value, i) => (value - moments[i % columns][0]) / moments[i % columns][1]),
  });
  return { matrix: apply(z), apply };
}

/** Share of tiles whose nearest neighbour under another lab is the tile itself: mean over all ordered pairs of labs. */
async function retrieval(native, views) {
  const [{ rows, columns }] = views;
  const unit = views.map(({ data }) => normalised(data, columns));
  const data = new Float32Array(views.length * rows * columns);
  for (const [i, part] of unit.entries()) data.set(part, i * part.length);
  const index = (of) => Int32Array.from({ length: views.length * rows }, (_, i) => of(i));
  const { queries, top1 } = await native.metrics.retrieve(
    { data, rows: views.length * rows, columns },
    index((i) => Math.floor(i / rows)),
    index((i) => i % rows),
  );
  return top1.reduce((sum, hits) => sum + hits, 0) / queries.reduce((sum, count) => sum + count, 0);
}

function normalised(data, columns) {
  const result = Float32Array.from(data);
  for (let start = 0; start < result.length; start += columns) {
    const row = result.subarray(start, start + columns);
    const length = Math.hypot(...row) || 1;
    for (let c = 0; c < columns; c++) row[c] /= length;
  }
  return result;
}

function evenly(list, limit) {
  if (list.length <= limit) return list;
  return Array.from({ length: limit }, (_, i) => list[Math.floor((i * list.length) / limit)]);
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function print(plain, rows, count) {
  const line = (...cells) =>
    console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(14) : cell.padStart(12))).join(''));
  line(`${count} tiles`, 'model top-1', 'rival top-1', 'model AUROC', 'rival AUROC', 'gain kept');
  line('as they came', '', '', plain.model.toFixed(3), plain.rival.toFixed(3), '');
  for (const { strength, model, rival, kept } of rows) {
    line(
      `strength ${strength}`,
      ...[model.top1, rival.top1, model.auroc, rival.auroc].map((value) => value.toFixed(3)),
      `${(100 * kept).toFixed(0)} %`,
    );
  }
}
