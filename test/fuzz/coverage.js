/** Which blocks of our code, and of the parsers it calls, have run: what V8 counts for itself, so that nothing is instrumented. */
import { Session } from 'node:inspector';

const COVERED = /\/lib\/(?!cli\/)|node_modules\/(?:csv-parse|hyparquet|zarrita)\//;

export class Coverage {
  #session = new Session();
  #seen = new Set();

  constructor() {
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Blocks that have ever run. */
  get size() {
    return this.#seen.size;
  }

  /** Blocks that ran since the last call and never before. They count as seen only once `accept`ed. */
  fresh() {
    const blocks = [];
    for (const { url, functions } of this.#post('Profiler.takePreciseCoverage').result) {
      if (!COVERED.test(url)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          const block = `${url}:${startOffset}:${endOffset}`;
          if (count > 0 && !this.#seen.has(block)) blocks.push(block);
        }
      }
    }
    return blocks;
  }

  accept(blocks) {
    for (const block of blocks) this.#seen.add(block);
  }

  #post(method, parameters) {
    let answer;
    this.#session.post(method, parameters, (error, result) => {
      if (error) throw new Error(`${method}: ${error.message}`);
      answer = result;
    });
    return answer; // the inspector of one's own thread answers before post() returns
  }
}
