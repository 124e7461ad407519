import type { Terminal } from './terminal.js';

/** The reason that a first Ctrl-C gives to a command's signal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  /** What a shell expects: 128 and the signal's number. */
  readonly exitCode: number;
  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`interrupted by ${signal}`);
    this.exitCode = signal === 'SIGINT' ? 130 : 143;
  }
}

/** The first signal asks the command to stop and save; the second ends the process at once. Undo with `Symbol.dispose`. */
export function watchInterrupts(terminal: Terminal): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const handle = (name: 'SIGINT' | 'SIGTERM') => {
    const reason = new Interrupted(name);
    if (controller.signal.aborted) {
      terminal.restore();
      process.exit(reason.exitCode);
    }
    terminal.note('\nStopping; press Ctrl-C again to quit at once.');
    controller.abort(reason);
  };
  const interrupt = () => handle('SIGINT');
  const terminate = () => handle('SIGTERM');
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', terminate);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', terminate);
    },
  };
}
