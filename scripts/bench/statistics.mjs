// Numbers of a run: medians of repeats, and ratios of contestants that were timed in the same rounds.

export function median(values) {
  if (values.length === 0) throw new RangeError('the median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** { median, low, high } of the values. */
export function spread(values) {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/**
 * How many times faster `ours` is, round by round: a disturbance of the machine that lasts longer than a round touches both.
 * `best` compares the fastest of each: what is left when all disturbance is taken away.
 */
export function ratio(ours, rival) {
  if (ours.length !== rival.length)
    throw new RangeError(`${ours.length} rounds against ${rival.length} of the rival`);
  return {
    ...spread(ours.map((seconds, round) => rival[round] / seconds)),
    best: Math.min(...rival) / Math.min(...ours),
  };
}
