/** Several calls on one file: each must end as it should, and the first that does not is told. */
import { StainfoldError } from '../../lib/errors.js';

/** Rejects with the first error that is not ours; with the last that is, where all have failed. */
export async function allOf(...calls) {
  let last;
  let succeeded = 0;
  for (const call of calls) {
    try {
      await call();
      succeeded++;
    } catch (error) {
      if (!(error instanceof StainfoldError)) throw error;
      last = error;
    }
  }
  if (succeeded === 0 && last !== undefined) throw last;
}
