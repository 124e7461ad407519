// A row of results: one case, our figure, and every rival's with how many times faster ours is.
import { ratio, spread } from './statistics.mjs';

/**
 * @param about { name, threads, units, ... }: `units` of work in one run; what else it holds is kept.
 * @param results Of contest(); the first is ours. Those with a `ceiling` are what the machine does at most: `ceiling` says what one run
 *   of ours is worth of it, in operations or bytes.
 */
export function rowOf(about, [ours, ...others]) {
  const rivals = others.filter(({ ceiling }) => ceiling === undefined);
  const [limit] = others.filter(({ ceiling }) => ceiling !== undefined);
  if (ours.unavailable) throw new Error(`${about.name}: stainfold could not run: ${ours.unavailable}`);
  const { units, threads } = about;
  const figure = ({ name, about: { version, precision, cosine }, rounds, repeats }) => ({
    contestant: name,
    version,
    ...(precision && { precision }),
    ...(cosine && { cosine }),
    threads,
    seconds: spread(rounds),
    perSecond: units / spread(rounds).median,
    rounds: rounds.length,
    repeats,
  });
  return {
    ...about,
    ours: figure(ours),
    rivals: rivals.map((result) =>
      result.unavailable
        ? { contestant: result.name, unavailable: result.unavailable }
        : {
            ...figure(result),
            ...(result.about.difference !== undefined && { difference: result.about.difference }),
            ratio: ratio(ours.rounds, result.rounds),
          },
    ),
    ...(limit && { ceiling: shareOf(ours, limit) }),
  };
}

/** Our share of a ceiling, round by round. */
function shareOf(ours, { name, unavailable, about, rounds, ceiling: worth }) {
  if (unavailable) return { contestant: name, unavailable };
  const perSecond = rounds.map((seconds) => (about.operations ?? about.bytes) / seconds);
  return {
    contestant: name,
    perSecond: spread(perSecond),
    share: spread(ours.rounds.map((seconds, round) => worth / seconds / perSecond[round])),
  };
}

/** `embed tiny batch 8: 378.8 tiles/s; times faster than PyTorch eager 1.88, ...` */
export function lineOf(section, { name, unit, ours, rivals, ceiling }) {
  const share = ceiling?.share
    ? `, ${(100 * ceiling.share.median).toFixed(0)} % of ${ceiling.contestant}`
    : '';
  const parts = rivals.map(({ contestant, ratio: times, unavailable }) =>
    unavailable ? `${contestant} (${unavailable})` : `${contestant} ${times.median.toFixed(2)}`,
  );
  return `${section} ${name}: ${amount(ours.perSecond)} ${unit}/s${share}; times as fast as ${parts.join(', ')}`;
}

export function amount(value) {
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}
