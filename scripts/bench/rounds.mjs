// Contestants in turns: A B C A B C ..., so that whatever slows the machine for a while slows them all.
import { median } from './statistics.mjs';

/** A result further than this from ours (of its largest value) is another computation: it is not timed. */
export const TOLERANCE = 1e-4;

/**
 * Opens `entrants` for one case, times them in turns, closes them.
 *
 * @param entrants [{ name, contestant, task, case, tolerance? }]; `unavailable`: a reason, instead of a contestant.
 * @returns [{ name, about, rounds: [seconds], repeats }] in their order, or { name, unavailable: reason }.
 */
export async function contest(entrants, { rounds, seconds, most = 50, onTurn = () => {} }) {
  const results = [];
  const open = [];
  for (const { name, contestant, task, case: given, tolerance = TOLERANCE, unavailable } of entrants) {
    const result = { name };
    results.push(result);
    if (unavailable !== undefined) {
      result.unavailable = unavailable;
      continue;
    }
    onTurn(name, 'opens');
    try {
      const { about } = await contestant.request({ do: 'open', task, case: given });
      if (about.difference > tolerance) {
        throw new Error(`not equal: ${about.difference.toExponential(1)} apart, ${tolerance} is allowed`);
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
