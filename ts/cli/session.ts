import { watchInterrupts } from './interrupt.js';
import type { Terminal } from './terminal.js';

/** What every command is made with. */
export interface Session {
  readonly terminal: Terminal;
  /** The command line as it was typed, for reports and for what to type next. */
  readonly commandLine: string;
}

/** Runs a command's work with a signal that Ctrl-C aborts. */
export async function interruptible(
  session: Session,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  using interrupts = watchInterrupts(session.terminal);
  await work(interrupts.signal);
}

/** A command that has said all there is to say, and still failed: exit code 1 and no more words. */
export class SaidFailure extends Error {
  override readonly name = 'SaidFailure';
}
