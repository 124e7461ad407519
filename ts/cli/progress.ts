import { type Options, SingleBar } from 'cli-progress';
import { formatDuration } from './format.js';
import type { Terminal } from './terminal.js';

/** A task's progress on stderr: a bar for a person, a line every few seconds for a log. Tasks under a second show nothing. */
export interface Progress extends Disposable {
  update(done: number, total: number, note?: string): void;
}

const QUIET_MS = 1000;
export const LINE_EVERY_MS = 5000;

/** How every bar of ours looks and ends. */
export const BAR: Options = {
  barCompleteChar: '━',
  barIncompleteChar: '╌',
  barsize: 24,
  hideCursor: true,
  clearOnComplete: true,
  stopOnComplete: false,
  gracefulExit: false,
  stream: process.stderr,
};

/** `show` writes the amounts: bytes, for a download. Null: the percentage says enough. */
export function startProgress(terminal: Terminal, title: string, show: Show = String): Progress {
  return terminal.interactive ? bar(terminal, title, show) : lines(terminal, title, show);
}

/** Does `work` under a bar of its own, and takes the time. */
export async function timed<Result>(
  terminal: Terminal,
  title: string,
  work: (update: Progress['update']) => Promise<Result>,
): Promise<{ made: Result; seconds: number }> {
  const begun = performance.now();
  using progress = startProgress(terminal, title);
  const made = await work((done, total, note) => progress.update(done, total, note));
  return { made, seconds: (performance.now() - begun) / 1000 };
}

type Show = ((amount: number) => string) | null;

function bar(terminal: Terminal, title: string, show: Show): Progress {
  const { cyan, dim } = terminal.colours.stderr;
  const begun = performance.now();
  const single = new SingleBar({
    format: `${title} ${cyan('{bar}')} {percentage}% ${dim('{amounts}{left}{note}')}`,
    ...BAR,
  });
  let shown = false;
  return {
    update(done, total, note) {
      const seconds = (performance.now() - begun) / 1000;
      const left =
        done > 0 && done < total ? `${formatDuration((seconds / done) * (total - done))} left` : '…';
      const amounts = show === null ? '' : `${show(done)}/${show(total)} · `;
      const payload = { amounts, left, note: note ? ` · ${note}` : '' };
      if (!shown) {
        if (seconds * 1000 < QUIET_MS) return;
        shown = true;
        single.start(total, done, payload);
      }
      single.setTotal(total);
      single.update(done, payload);
    },
    [Symbol.dispose]() {
      if (shown) single.stop();
    },
  };
}

function lines(terminal: Terminal, title: string, show: Show): Progress {
  const begun = performance.now();
  let next = begun + QUIET_MS;
  return {
    update(done, total, note) {
      const now = performance.now();
      if (now < next) return;
      next = now + LINE_EVERY_MS;
      const amounts = show === null ? '' : ` ${show(done)}/${show(total)}`;
      const percentage = total > 0 ? Math.floor((100 * done) / total) : 0;
      terminal.note(
        `${title} ${percentage}%${amounts} after ${formatDuration((now - begun) / 1000)}${note ? `, ${note}` : ''}`,
      );
    },
    [Symbol.dispose]() {},
  };
}
