// What an interrupted run finds again: the log of chunks, marks, locks, records, the curves.
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readRun, readScores } from '../../../lib/api/benchmark/records.js';
import { writeSlideTables } from '../../../lib/api/slide-vectors.js';
import { MetricsLog } from '../../../lib/data/metrics-log.js';
import { lockFolder } from '../../../lib/files/lock.js';
import { ChunkLog } from '../../../lib/stores/chunk-log.js';
import { readMarks, stateFolder } from '../../../lib/stores/marks.js';
import { allOf } from '../outcomes.js';
import { hold } from '../verdict.js';

const PLAN = { slide: 'a' };
const COLUMNS = 4;
const MAGIC = 'stainfold part 1\n';

export default {
  extension: '.part',
  writes: true, // a log cuts off what was not finished
  words: ['{"version":1,"files":[', '"pooled":"', '"files":[{"path":"', '"token":"', '"pid":1', MAGIC],
  /** Digests of the frames of a log. */
  seal(bytes) {
    if (!bytes.subarray(0, MAGIC.length).equals(Buffer.from(MAGIC))) return undefined;
    const sealed = Buffer.from(bytes);
    for (let at = MAGIC.length; at + 44 <= sealed.length; ) {
      const length = [0, 4, 8].reduce((sum, part) => sum + sealed.readUInt32LE(at + part), 0);
      const hash = createHash('sha256').update(sealed.subarray(at, at + 12));
      hash
        .update(sealed.subarray(at + 44, at + 44 + length))
        .digest()
        .copy(sealed, at + 12);
      at += 44 + length;
    }
    return sealed;
  },
  async run(path, bytes) {
    const home = join(dirname(path), 'home');
    await rm(home, { recursive: true, force: true });
    await mkdir(stateFolder(home), { recursive: true });
    await writeFile(join(stateFolder(home), 'a.json'), bytes);
    for (const name of ['run.json', 'scores.json', '.lock', 'metrics.jsonl'])
      await writeFile(join(home, name), bytes);
    await allOf(
      async () => {
        const log = await ChunkLog.open(path, PLAN, COLUMNS);
        try {
          hold(Number.isSafeInteger(log.rows), `${log.rows} rows`);
          let rows = 0;
          for await (const values of log.features()) rows += values.length / COLUMNS;
          for await (const values of log.coords()) rows -= values.length / 2;
          hold(rows === 0, 'features without coordinates');
          await log.append({ note: 1, features: new Float32Array(COLUMNS), coords: new Int32Array(2) });
        } finally {
          await log.close();
        }
      },
      async () => {
        for (const { files, pooled } of await readMarks(home)) {
          hold(Array.isArray(files) && typeof pooled === 'string', 'a mark of nothing');
        }
      },
      () => writeSlideTables(home, 'mean', undefined),
      () => readRun(home),
      () => readScores(home, 'x'),
      async () => void (await lockFolder(home, '.lock')).release(),
      async () => {
        const log = await MetricsLog.open(join(home, 'metrics.jsonl'), 2);
        await log.close();
      },
    );
  },
};
