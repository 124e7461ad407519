/** Two bars on stderr: the slide at work, and all of them. A log gets a line now and then, and one for each slide. */
import { MultiBar, type SingleBar } from 'cli-progress';
import type { SlidesProgress } from '../index.js';
import { formatDuration } from './format.js';
import { BAR, LINE_EVERY_MS } from './progress.js';
import type { Terminal } from './terminal.js';

export interface SlideBars extends Disposable {
  update(progress: SlidesProgress): void;
}

const NAME_WIDTH = 24;
/** Steps of the bar of all slides for each of them, so that it moves within one. */
const STEPS = 1000;

export function startSlideBars(terminal: Terminal): SlideBars {
  return terminal.interactive ? bars(terminal) : lines(terminal);
}

/** `43.1 tiles/s, the encoder busy 97 %`. */
function pace({ progress }: SlidesProgress): string {
  if (progress === undefined) return 'opening';
  const { tilesPerSecond, encoderBusy } = progress;
  return `${tilesPerSecond.toFixed(1)} tiles/s, encoder busy ${Math.round(100 * encoderBusy)} %`;
}

/** Of all slides, counting what is done of the one at work. */
function share({ slide, progress }: SlidesProgress): number {
  return slide + (progress && progress.total > 0 ? progress.done / progress.total : 0);
}

function bars(terminal: Terminal): SlideBars {
  const { cyan, dim } = terminal.colours.stderr;
  const begun = performance.now();
  const both = new MultiBar({
    format: `{title} ${cyan('{bar}')} {percentage}% ${dim('{note}')}`,
    ...BAR,
  });
  let one: SingleBar | undefined;
  let all: SingleBar | undefined;
  return {
    update(state) {
      const { name, slide, slides, progress } = state;
      const { done, total } = progress ?? { done: 0, total: 1 };
      one ??= both.create(1, 0, { title: '', note: '' });
      all ??= both.create(slides * STEPS, 0, { title: 'slides'.padEnd(NAME_WIDTH), note: '' });
      const counted = progress === undefined ? '' : `${done}/${total} · `;
      one.setTotal(Math.max(1, total));
      one.update(done, { title: fitted(name), note: `${counted}${pace(state)}` });
      const seconds = (performance.now() - begun) / 1000;
      const part = share(state);
      const left = part > 0 ? `${formatDuration((seconds / part) * (slides - part))} left` : '…';
      all.update(Math.round(part * STEPS), { note: `${slide}/${slides} · ${left}` });
    },
    [Symbol.dispose]() {
      both.stop();
    },
  };
}

const fitted = (name: string): string =>
  (name.length > NAME_WIDTH ? `${name.slice(0, NAME_WIDTH - 1)}…` : name).padEnd(NAME_WIDTH);

function lines(terminal: Terminal): SlideBars {
  let next = performance.now() + LINE_EVERY_MS;
  return {
    update(state) {
      const now = performance.now();
      if (now < next || state.progress === undefined) return;
      next = now + LINE_EVERY_MS;
      const { done, total } = state.progress;
      terminal.note(
        `slide ${state.slide + 1} of ${state.slides}, ${state.name}: ${done}/${total}, ${pace(state)}`,
      );
    },
    [Symbol.dispose]() {},
  };
}
