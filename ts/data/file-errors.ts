import { StainfoldError } from '../errors.js';

/** A failed read as a stainfold error: missing files get their own code. */
export function readError(path: string, cause: unknown): StainfoldError {
  if (cause instanceof StainfoldError) return cause;
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new StainfoldError('STAINFOLD_FILE_NOT_FOUND', `There is no file or folder at ${path}`, { cause });
  }
  const reason = code === 'EISDIR' ? 'it is a folder' : reasonOf(cause);
  return new StainfoldError('STAINFOLD_FILE_READ', `${path} cannot be read: ${reason}`, { cause });
}

/** One line that says what went wrong. */
export function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.split('\n', 1)[0] ?? '';
}
