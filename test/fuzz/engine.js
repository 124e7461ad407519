/**
 * Fuzzing of one target in this process: what reaches code that nothing reached before joins the corpus, and is what the next inputs
 * are made of. Coverage is asked for once a batch, since asking costs more than most runs.
 */
import { Coverage } from './coverage.js';
import { mutated } from './mutate.js';
import { randomOf } from './random.js';
import { verdict } from './verdict.js';

const BATCH = 16;
/** Different ones: after so many, go and repair. */
const MOST_FINDINGS = 10;

/**
 * Replays the corpus, then goes on until `seconds` are over.
 *
 * @param corpus Of { name, bytes }.
 * @param most Findings to stop at.
 * @param onBeat Between any two inputs.
 */
export async function fuzz(
  target,
  corpus,
  { folder, seconds, seed, runs = Infinity, most = MOST_FINDINGS, onBeat = () => {} },
) {
  const random = randomOf(seed);
  const coverage = new Coverage();
  const findings = new Map();
  let executions = 0;
  const run = async (bytes, name) => {
    executions++;
    onBeat();
    const found = await verdict(target, bytes, folder);
    if (found === undefined) return;
    const like = `${found.kind} ${found.detail.split('\n').find((line) => /\/lib\//.test(line)) ?? ''}`;
    if (!findings.has(like)) findings.set(like, { ...found, bytes, name });
  };

  await run(Buffer.alloc(0), 'the empty file'); // what is loaded on first use must not count as slow, or as an input's own
  findings.clear();
  const started = performance.now();
  const pool = [];
  for (const { name, bytes } of corpus) {
    await run(bytes, name);
    pool.push(bytes);
  }
  coverage.accept(coverage.fresh());
  const covered = coverage.size;
  while (performance.now() - started < 1000 * seconds && executions < runs && findings.size < most) {
    const batch = Array.from({ length: BATCH }, () => {
      const bytes = mutated(pool, random, target.words);
      return target.seal && !random.once(4) ? (target.seal(bytes) ?? bytes) : bytes;
    });
    for (const bytes of batch) await run(bytes);
    const fresh = coverage.fresh();
    if (fresh.length === 0) continue;
    for (const bytes of batch) {
      await run(bytes);
      const own = coverage.fresh();
      if (own.length === 0) continue;
      coverage.accept(own);
      pool.push(bytes);
    }
    coverage.accept(fresh);
  }
  return {
    executions,
    blocks: coverage.size,
    gained: coverage.size - covered,
    pool: pool.length,
    seconds: (performance.now() - started) / 1000,
    findings: [...findings.values()],
  };
}
