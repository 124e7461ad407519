// The results as Markdown: what was asked for and what came out, then a table for each section, ratios first.
import { judge } from './bars.mjs';
import { amount } from './rows.mjs';

const TITLES = {
  embed: 'Embedding',
  loss: 'Compaction loss, forward and backward',
  stain: 'Stain normalisation, one core',
  train: 'Training step',
  pipeline: 'Around the core',
};

export function markdown({ device, sections }) {
  const parts = [
    '# Benchmark',
    '',
    `Made by \`${device === 'cpu' ? 'npm run bench' : 'npm run bench:gpu'}\`; [performance.md](../performance.md) says how to read it. The numbers with their spread are in the .json file beside this one.`,
    '',
    ...barTable(judge(sections, device)),
    ...floors(sections),
  ];
  for (const [name, section] of Object.entries(sections)) {
    parts.push('', `## ${TITLES[name]}`, '', conditions(section), '', ...sectionTable(section.rows));
  }
  return `${parts.join('\n')}\n`;
}

function conditions({ machine, versions, measured, rows, ...section }) {
  const threads = rows[0]?.threads ?? section.threads;
  const { torch, onnxruntime, libtorch } = versions;
  const gpu = machine.gpu.length > 0 ? `, ${machine.gpu.join(', ')}` : '';
  const rivals = [torch && `PyTorch ${torch}`, onnxruntime && `ONNX Runtime ${onnxruntime}`].filter(Boolean);
  return `${machine.cpu}, ${machine.cores} cores, ${machine.instructions}${gpu}; ${threads} thread${threads === 1 ? '' : 's'}; LibTorch ${libtorch}${rivals.length > 0 ? `; ${rivals.join(', ')}` : ''}; ${measured.slice(0, 10)}.`;
}

function barTable(bars) {
  const rows = bars.map(({ section, name, what, wanted, value, atMost, verdict }) => [
    `${section}: ${name}`,
    what,
    `${atMost ? '≤' : '≥'} ${wanted}`,
    value === undefined ? '–' : figure(value),
    verdict === 'missed' ? '**missed**' : verdict,
  ]);
  return table(['case', 'figure', 'wanted', 'measured', ''], rows);
}

/** Operations and bytes of each path, what the machine does at most, and how far above it we are. */
function floors(sections) {
  const rows = Object.entries(sections).flatMap(([section, { rows: all }]) =>
    all
      .filter(({ ceiling }) => ceiling?.share)
      .map(({ name, operations, bytes, ceiling: { contestant, perSecond, share }, ours }) => [
        `${section}: ${name}`,
        operations ? `${figure(operations / 1e9)} G` : '–',
        bytes ? `${figure(bytes / 1e6)} MB` : '–',
        `${contestant}, ${figure(perSecond.median / 1e9)} G/s`,
        milliseconds(ours.seconds.median * share.median),
        milliseconds(ours.seconds.median),
        figure(1 / share.median),
      ]),
  );
  if (rows.length === 0) return [];
  return [
    '',
    '## Floors',
    '',
    'Of one run: a batch, a loss, a step. A ceiling is measured beside us, in the same rounds; the floor is what it leaves.',
    '',
    ...table(['path', 'operations', 'bytes', 'ceiling', 'floor', 'ours', 'over the floor'], rows),
  ];
}

const milliseconds = (seconds) => `${figure(1000 * seconds)} ms`;

function sectionTable(rows) {
  const timed = rows.filter(({ ours }) => ours);
  const names = [...new Set(timed.flatMap(({ rivals }) => rivals.map(({ contestant }) => contestant)))];
  const lines = timed.map((row) => [
    row.name,
    ...names.map((name) => ratioCell(row.rivals.find(({ contestant }) => contestant === name))),
    `${amount(row.ours.perSecond)} ${row.unit}/s`,
    ...(row.ceiling ? [row.ceiling.share ? `${Math.round(100 * row.ceiling.share.median)} %` : '–'] : []),
    ...(row.peakBytes ? [megabytes(row.peakBytes.stainfold), megabytes(row.peakBytes['PyTorch eager'])] : []),
  ]);
  const [first] = timed;
  const header = [
    'times as fast as',
    ...names,
    'stainfold',
    ...(first?.ceiling ? [`of ${first.ceiling.contestant}`] : []),
    ...(first?.peakBytes ? ['peak memory', "PyTorch eager's"] : []),
  ];
  const parts = timed.length > 0 ? table(header, lines) : [];
  for (const { name, points } of rows.filter((row) => row.points)) {
    const cells = points.map(({ tiles, secondsPerTile, cpuSecondsPerTile, residentBytes }) => [
      tiles.toLocaleString('en-US'),
      `${(1e6 * cpuSecondsPerTile).toFixed(0)} µs`,
      `${(1e6 * secondsPerTile).toFixed(0)} µs`,
      `${(residentBytes / 2 ** 20).toFixed(0)} MiB`,
    ]);
    parts.push(
      '',
      `${name[0].toUpperCase()}${name.slice(1)}:`,
      '',
      ...table(['tiles', 'CPU time of a tile', 'time on the wall', 'resident memory'], cells),
    );
  }
  for (const [name, why] of missing(rows)) parts.push('', `${name} is missing: ${why}.`);
  return parts;
}

function missing(rows) {
  const reasons = new Map();
  for (const { rivals = [] } of rows) {
    for (const { contestant, unavailable } of rivals) if (unavailable) reasons.set(contestant, unavailable);
  }
  return reasons;
}

function ratioCell(rival) {
  if (rival?.ratio === undefined) return '–';
  const { median, low, high } = rival.ratio;
  return `${figure(median)} (${figure(low)}–${figure(high)})`;
}

const megabytes = (bytes) => (bytes === null || bytes === undefined ? '–' : `${figure(bytes / 1e6)} MB`);
const figure = (value) =>
  Math.abs(value) >= 100
    ? Math.round(value).toLocaleString('en-US')
    : Number(value.toFixed(value < 10 ? 2 : 1)).toString();

function table(header, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(header), `|${'---|'.repeat(header.length)}`, ...rows.map(line)];
}
