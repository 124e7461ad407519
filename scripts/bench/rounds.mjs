// Contestants in turns: A B C A B C ..., so that whatever slows the machine for a while slows them all.
import { median } from './statistics.mjs';

/** A result further than this from ours (of its largest value) is another computation: it is not timed. */
export const TOLERANCE = 1e-4;

/**
 * Opens `entrants` for one case, times them in turns, closes them.
 *
 * @param patience Milliseconds for an entrant to open: what compiles for longer is told, and the others are timed.
 * @param entrants [{ name, contestant, task, case, tolerance? }]; `unavailable`: a reason, instead of a contestant. `ceiling`: see rowOf().
 * @returns [{ name, about, rounds: [seconds], repeats }] in their order, or { name, unavailable: reason }.
 */
export async function contest(entrants, { rounds, seconds, most = 50, patience, onTurn = () => {} }) {
  const results = [];
  const open = [];
  for (const {
    name,
    contestant,
    task,
    case: given,
    tolerance = TOLERANCE,
    unavailable,
    ceiling,
  } of entrants) {
    const result = { name, ...(ceiling !== undefined && { ceiling }) };
    results.push(result);
    if (unavailable !== undefined) {
      result.unavailable = unavailable;
      continue;
    }
    onTurn(name, 'opens');
    try {
      const { about } = await contestant.request({ do: 'open', task, case: given }, patience);
      const { difference } = about;
      // Not `difference > tolerance`: what is no number is no equality.
      if (difference !== undefined && !(difference !== null && difference <= tolerance)) {
        const apart = difference === null ? 'no number' : difference.toExponential(1);
        throw new Error(`not equal: ${apart} apart, ${tolerance} is allowed`);
      }
      Object.assign(result, { about, rounds: [], repeats: 0 });
      open.push({ result, contestant });
    } catch (error) {
      result.unavailable = error.message;
      await contestant.request({ do: 'close' }).catch(() => {});
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const { result, contestant } of open) {
      if (result.unavailable !== undefined) continue;
      onTurn(result.name, `round ${round + 1}/${rounds}`);
      try {
        const { wall } = await contestant.request({ do: 'turn', seconds, most });
        result.rounds.push(median(wall));
        result.repeats += wall.length;
      } catch (error) {
        result.unavailable = error.message;
      }
    }
  }
  for (const { contestant } of open) await contestant.request({ do: 'close' }).catch(() => {});
  return results;
}

/** Memory that one run takes at most beyond what was there: bytes, or undefined where the entrant cannot be had. */
export async function peakOf({ contestant, task, case: given, unavailable }) {
  if (unavailable !== undefined) return undefined;
  try {
    await contestant.request({ do: 'open', task, case: given });
    const { bytes } = await contestant.request({ do: 'peak' });
    return bytes;
  } catch {
    return undefined;
  } finally {
    contestant.kill();
  }
}
