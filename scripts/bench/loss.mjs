// The contrastive compaction, forward and backward, and the memory that it takes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDER } from './inputs.mjs';
import { bytesOf } from './npy.mjs';
import { peakOf } from './rounds.mjs';
import { lineOf, rowOf } from './rows.mjs';

const COLUMNS = 256;
const TEMPERATURE = 0.07;
/** Blocks of more than 64 KiB go back to the system when they are freed: what is held is then what is in use. */
const RETURNING = { MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '0' };

export async function loss(bench) {
  const { quick, brief, threads, device } = bench;
  const rows = [];
  for (const count of quick ? [2048] : device === 'cpu' ? [8192] : [16_384]) {
    const name = `M = ${count}, d = ${COLUMNS}`;
    if (!bench.wants(name)) continue;
    const z = join(FOLDER, `z-${count}.raw`);
    writeFileSync(z, bytesOf(normal(count * COLUMNS)));
    const given = {
      z,
      rows: count,
      columns: COLUMNS,
      tiles: count / 2,
      temperature: TEMPERATURE,
      threads,
      device,
      reference: { loss: join(FOLDER, 'loss.npy'), gradient: join(FOLDER, 'gradient.npy') },
    };
    const kinds = [
      { name: 'PyTorch eager', rival: 'eager' },
      ...(quick ? [] : [{ name: 'torch.compile', rival: 'compile' }]),
    ];
    const entrantsOf = (env) => [
      { name: 'stainfold', contestant: bench.ours({ env }), task: 'loss', case: given },
      ...kinds.map(({ name: rival, rival: kind }) => ({
        name: rival,
        contestant: bench.python('torch', { env }),
        task: 'loss',
        case: { ...given, rival: kind },
        unavailable: bench.missing('torch'),
      })),
    ];
    // The similarities, and the gradient through either argument: three products of M x M x d at the least.
    const operations = 2 * 3 * count ** 2 * COLUMNS;
    const results = await bench.contest([...entrantsOf(), bench.gemm(bench.python(), operations)], {
      rounds: quick ? 7 : 5,
      seconds: 0.25,
      onTurn: (who, what) => bench.progress(`loss ${name}: ${who} ${what}`),
    });
    const row = rowOf(
      { name, unit: 'rows', units: count, threads, operations, bytes: 2 * 4 * count * COLUMNS },
      results,
    );
    row.peakBytes = {};
    // Compiling once more is for runs that have the time.
    for (const entrant of entrantsOf(RETURNING).filter(
      ({ case: { rival } }) => !(brief && rival === 'compile'),
    ))
      row.peakBytes[entrant.name] = (await peakOf(entrant)) ?? null;
    rows.push(row);
    bench.say(lineOf('loss', row));
    const peaks = Object.entries(row.peakBytes).map(
      ([who, bytes]) => `${who} ${bytes === null ? '?' : (bytes / 1e6).toFixed(0)}`,
    );
    bench.say(`loss ${name}: peak memory in MB: ${peaks.join(', ')}`);
  }
  return rows;
}

/** Standard normal numbers, seeded: Box and Muller's on Numerical Recipes' generator. */
function normal(count) {
  const values = new Float32Array(count);
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / (2 ** 32 + 1);
  };
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    values[i] = radius * Math.cos(angle);
    values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}
