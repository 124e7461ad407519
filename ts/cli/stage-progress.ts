import { formatBytes } from './format.js';
import { type Progress, startProgress } from './progress.js';
import type { Session } from './session.js';

/** A bar for each stage in turn. */
export class StageProgress {
  readonly #session: Session;
  #stage = '';
  #progress: Progress | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  update(stage: string, done: number, total: number): void {
    if (stage !== this.#stage) {
      this.finish();
      this.#stage = stage;
      this.#progress = startProgress(this.#session.terminal, stage, formatBytes);
    }
    this.#progress?.update(done, total);
  }

  finish(): void {
    this.#progress?.[Symbol.dispose]();
    this.#progress = undefined;
  }
}
