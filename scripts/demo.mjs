// npm run demo: from nothing to a table and a page. Sets up what is missing, makes phantom tissue of several labs (or takes tiles
// that are given), trains on one lab with several seeds, and measures on the labs that were never seen.
import { mkdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { setup } from './setup.mjs';

// What a run costs. `full` is meant to end within 15 minutes on 2 cores with set-up; `quick` within one.
const SCALES = {
  full: {
    labs: 5,
    tilesPerLab: 1200,
    tileSize: 96,
    epochs: 20,
    batchSize: 32,
    learningRate: 2e-3,
    seeds: 3,
  },
  quick: {
    labs: 3,
    tilesPerLab: 48,
    tileSize: 64,
    epochs: 2,
    batchSize: 16,
    learningRate: 2e-3,
    seeds: 2,
  },
};

const HELP = `npm run demo [-- options]

  --out DIR              where everything goes (default: demo-output)
  --seeds N              trainings, one for each seed (default: ${SCALES.full.seeds})
  --epochs N             passes over the source's tiles (default: ${SCALES.full.epochs})
  --quick                a small run that shows the way, not the result

  --tiles MANIFEST.csv   your tiles instead of phantom tissue; then also
  --batch-column NAME      the column that should not be readable: site, scanner, lab
  --source VALUE           its value to train on
  --label-column NAME      the column that should be readable (optional)
  --group-column NAME      patient or slide: the probe never cuts through one (optional)
`;

const OPTIONS = {
  out: { type: 'string', default: 'demo-output' },
  seeds: { type: 'string' },
  epochs: { type: 'string' },
  quick: { type: 'boolean', default: false },
  tiles: { type: 'string' },
  'batch-column': { type: 'string' },
  'label-column': { type: 'string' },
  'group-column': { type: 'string' },
  source: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
};
const options = readOptions();

async function demo() {
  const begun = performance.now();
  const scale = { ...SCALES[options.quick ? 'quick' : 'full'] };
  if (options.seeds !== undefined) scale.seeds = wholeNumber('seeds');
  if (options.epochs !== undefined) scale.epochs = wholeNumber('epochs');
  checkGiven();

  await setup();
  const stainfold = await import('../lib/index.js');
  const { createTerminal } = await import('../lib/cli/terminal.js');
  const { startProgress } = await import('../lib/cli/progress.js');
  const { formatEvaluation } = await import('../lib/cli/evaluation-table.js');
  const { formatDuration } = await import('../lib/cli/format.js');
  const terminal = createTerminal(process.stdout, process.stderr);
  const { bold, dim } = terminal.colours.stdout;
  const timings = [['set-up', seconds(begun)]];
  const step = async (title, work) => {
    const start = performance.now();
    const progress = startProgress(terminal, title);
    try {
      return await work((done, total, note) => progress.update(done, total, note));
    } finally {
      progress[Symbol.dispose]();
      timings.push([title, seconds(start)]);
      terminal.print(`${title.padEnd(22)} ${dim(formatDuration(seconds(start)))}`);
    }
  };

  await mkdir(options.out, { recursive: true });
  const data = options.tiles === undefined ? await makePhantom(stainfold, scale, step) : givenTiles();
  const { tiles, batchColumn, source } = data;

  const models = [];
  for (let seed = 1; seed <= scale.seeds; seed++) {
    const out = join(options.out, `seed-${seed}`);
    await rm(out, { recursive: true, force: true });
    const { model } = await step(`training, seed ${seed}`, (update) =>
      stainfold.train({
        tiles,
        where: { [batchColumn]: source },
        out,
        seed,
        epochs: scale.epochs,
        batchSize: scale.batchSize,
        ...(options.tiles === undefined && { learningRate: scale.learningRate }),
        onProgress: ({ step: done, steps, loss, tilesPerSecond }) =>
          update(done, steps, `loss ${loss.toFixed(3)} · ${tilesPerSecond.toFixed(0)} tiles/s`),
      }),
    );
    models.push(model);
  }

  const evaluations = [];
  for (const [i, model] of models.entries()) {
    const { labelColumn, groupColumn } = data;
    evaluations.push(
      await step(`measuring, seed ${i + 1}`, (update) =>
        stainfold.evaluate({
          tiles,
          model,
          batchColumn,
          source,
          seed: i + 1,
          ...(labelColumn && { labelColumn }),
          ...(groupColumn && { groupColumn }),
          onProgress: ({ done, total }) => update(done, total),
        }),
      ),
    );
  }

  const embeddings = await step('embedding', (update) => embedAll(stainfold, tiles, models[0], update));
  const conclusion = stainfold.conclude(evaluations);
  const report = join(options.out, 'report.html');
  await step('report', async () => {
    const shown = await stainfold.collectReport({
      evaluation: evaluations,
      tiles,
      model: models[0],
      ...(data.pairs && { samplesFrom: data.pairs }),
    });
    await stainfold.writeReport(report, {
      ...shown,
      title: data.title,
      command: ['npm run demo', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(
        ' ',
      ),
      facts: Object.fromEntries(timings.map(([title, taken]) => [`Time, ${title}`, formatDuration(taken)])),
    });
  });

  terminal.print(`\n${bold(data.title)}\n`);
  terminal.print(`${formatEvaluation(evaluations, terminal.colours.stdout, terminal.width)}\n`);
  if (scale.seeds > 1) terminal.print(dim(`Mean ± standard deviation over ${scale.seeds} seeds.`));
  terminal.print(`${conclusion.sentence}\n`);
  terminal.print(`report      ${relative('.', report)}`);
  terminal.print(`embeddings  ${embeddings.map((path) => relative('.', path)).join(' and ')}`);
  terminal.print(`models      ${models.map((path) => relative('.', path)).join(', ')}`);
  terminal.print(`total time  ${formatDuration(seconds(begun))}`);
}

/** Each lab has tissue of its own, so that nothing but the tissue's kind is alike; and a few tiles of one tissue in all labs, to look at. */
async function makePhantom(stainfold, { labs, tilesPerLab, tileSize }, step) {
  const { manifest } = await step('phantom tissue', (onProgress) =>
    stainfold.generatePhantom({
      out: join(options.out, 'tiles'),
      labs,
      tiles: tilesPerLab,
      tileSize,
      seed: 1,
      onProgress,
    }),
  );
  const pairs = await stainfold.generatePhantom({
    out: join(options.out, 'pairs'),
    labs,
    tiles: 7,
    tileSize,
    seed: 2,
    tissue: 'shared',
  });
  return {
    title: `Phantom tissue: trained on lab 0, measured on ${labs} labs`,
    tiles: manifest,
    pairs: pairs.manifest,
    batchColumn: 'lab',
    labelColumn: 'tissue',
    groupColumn: 'slide',
    source: '0',
  };
}

function givenTiles() {
  return {
    title: `${options.tiles}: trained on ${options.source}`,
    tiles: options.tiles,
    batchColumn: options['batch-column'],
    labelColumn: options['label-column'],
    groupColumn: options['group-column'],
    source: options.source,
  };
}

async function embedAll({ listTiles, loadEncoder, writeEmbeddings }, manifest, model, update) {
  const { tiles } = await listTiles({ tiles: manifest });
  const encoder = await loadEncoder(model);
  const unreadable = new Set();
  try {
    const embeddings = await encoder.embed(
      tiles.map(({ path }) => path),
      {
        onProgress: (done) => update(done, tiles.length),
        onUnreadable: (index) => unreadable.add(index),
      },
    );
    const rows = tiles.filter((_, index) => !unreadable.has(index));
    return await writeEmbeddings(join(options.out, 'embeddings.npy'), embeddings, rows);
  } finally {
    await encoder.dispose();
  }
}

function readOptions() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    return fail(error.message);
  }
}

function checkGiven() {
  if (options.tiles === undefined) return;
  const missing = ['batch-column', 'source'].filter((name) => options[name] === undefined);
  if (missing.length > 0) fail(`--tiles needs ${missing.map((name) => `--${name}`).join(' and ')}`);
}

function wholeNumber(name) {
  const value = Number(options[name]);
  if (!Number.isSafeInteger(value) || value < 1)
    fail(`--${name} must be a whole number of at least 1, got '${options[name]}'`);
  return value;
}

function fail(message) {
  console.error(`error: ${message}\n\n${HELP}`);
  process.exit(2);
}

function seconds(since) {
  return (performance.now() - since) / 1000;
}

if (options.help) {
  console.log(HELP);
} else {
  try {
    await demo();
  } catch (error) {
    console.error(`error${error.code ? ` ${error.code}` : ''}: ${error.message}`);
    process.exitCode = 1;
  }
}
