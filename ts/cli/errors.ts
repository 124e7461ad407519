import type { StainfoldError, UnreadableTile } from '../index.js';
import type { Terminal } from './terminal.js';

/** `error STAINFOLD_X: what happened`, and the remedy on a line of its own. */
export function showError(terminal: Terminal, error: unknown): void {
  const { red, dim } = terminal.colours.stderr;
  const { code, message, hint } = describeError(error);
  terminal.note(`${red(code ? `error ${code}:` : 'error:')} ${message}`);
  if (hint) terminal.note(`${dim('→')} ${hint}`);
  if (process.env.STAINFOLD_DEBUG && error instanceof Error) terminal.note(dim(error.stack ?? ''));
}

export function describeError(error: unknown): { code: string | null; message: string; hint: string | null } {
  if (isStainfoldError(error)) {
    const fact = error.message.endsWith(error.hint)
      ? error.message.slice(0, -error.hint.length)
      : error.message;
    return { code: error.code, message: fact.trim(), hint: error.hint };
  }
  return { code: null, message: error instanceof Error ? error.message : String(error), hint: null };
}

// By its name: the class would load the whole library, which a help text or a mistyped option need not wait for.
function isStainfoldError(error: unknown): error is StainfoldError {
  return error instanceof Error && error.name === 'StainfoldError' && 'code' in error && 'hint' in error;
}

const LISTED = 10;

/** Lists the first unreadable files and counts the rest. `fate`: what became of them, in another command than one that reads tiles. */
export function showUnreadable(
  terminal: Terminal,
  unreadable: readonly UnreadableTile[],
  fate = 'could not be read',
): void {
  if (unreadable.length === 0) return;
  const { yellow, dim } = terminal.colours.stderr;
  const files = unreadable.length === 1 ? '1 file' : `${unreadable.length} files`;
  terminal.note(
    `${yellow('warning:')} ${files} ${fate} and ${unreadable.length === 1 ? 'was' : 'were'} skipped`,
  );
  for (const { file, reason } of unreadable.slice(0, LISTED)) terminal.note(`  ${file} ${dim(reason)}`);
  if (unreadable.length > LISTED) terminal.note(`  and ${unreadable.length - LISTED} more`);
}
