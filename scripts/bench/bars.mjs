// What must come out, and how far below it a run fails. A bar that no rival could be had for is not met: it is unmeasured.

/** A quick run on a busy machine fails only below this share of a bar, by the fastest round of either side, or beyond the bar's `limit`. */
const FAR = 0.5;

/**
 * @param sections As in bench.json: { name: { rows } }.
 * @returns [{ section, name, what, wanted, value, best, verdict, far }]: `verdict` met, missed or unmeasured.
 */
export function judge(sections, device = 'cpu') {
  const found = [];
  for (const [section, { rows }] of Object.entries(sections)) {
    for (const row of rows) {
      for (const bar of BARS[section](row, device)) {
        found.push({ section, name: row.name, ...bar, ...verdictOf(bar) });
      }
    }
  }
  return found;
}

function verdictOf({
  wanted,
  value,
  best = value,
  atMost = false,
  limit = atMost ? wanted / FAR : wanted * FAR,
}) {
  if (value === undefined) return { verdict: 'unmeasured', far: false };
  const met = atMost ? value <= wanted : value >= wanted;
  const far = atMost ? best > limit : best < limit;
  return { verdict: met ? 'met' : 'missed', far };
}

/** How many times as fast as the best of some rivals. */
function over(row, wanted, what, matches = () => true) {
  const ratios = row.rivals
    .filter(({ contestant, ratio }) => ratio !== undefined && matches(contestant))
    .map(({ ratio }) => ratio);
  return {
    what,
    wanted,
    value: least(ratios.map(({ median }) => median)),
    best: least(ratios.map(({ best }) => best)),
  };
}

const least = (values) => (values.length === 0 ? undefined : Math.min(...values));
const named = (pattern) => (name) => pattern.test(name);

const BARS = {
  embed(row, device) {
    const bars =
      device === 'cpu'
        ? [
            over(row, 1, 'times as fast as the best rival'),
            over(row, 1.3, 'times as fast as eager channels_last', named(/eager channels_last/)),
          ]
        : [
            over(row, 1, 'times as fast as torch.compile max-autotune', named(/torch\.compile/)),
            over(row, 3, 'times as fast as eager fp32', named(/eager fp32/)),
          ];
    if (device === 'cpu' && row.size === 'base') {
      bars.push({
        what: 'share of the fp32 GEMM ceiling',
        wanted: 0.7,
        value: row.ceiling?.share?.median,
        best: row.ceiling?.share?.high,
      });
    }
    if (device !== 'cpu' && row.resident) {
      bars.push({ what: 'tiles/s from device memory', wanted: 15_000, value: row.ours.perSecond });
    }
    return bars;
  },
  loss(row, device) {
    const full = device === 'cpu' ? 8192 : 16_384;
    const [ours, eager] = [row.peakBytes?.stainfold, row.peakBytes?.['PyTorch eager']];
    const speed = over(row, device === 'cpu' ? 2 : 5, 'times as fast as PyTorch eager', named(/eager/));
    return [
      speed,
      ...(device === 'cpu' ? [] : [over(row, 1.5, 'times as fast as torch.compile', named(/compile/))]),
      ...(row.units < full
        ? []
        : [
            {
              what: "share of PyTorch eager's peak memory",
              wanted: device === 'cpu' ? 0.1 : 0.05,
              atMost: true,
              value: Number.isFinite(ours) && eager > 0 ? ours / eager : undefined,
            },
          ]),
    ];
  },
  stain(row, device) {
    if (device === 'cpu') return [over(row, 10, "times as fast as torchstain's steps", named(/torchstain/))];
    return row.method === 'macenko' ? [{ what: 'tiles/s', wanted: 20_000, value: row.ours.perSecond }] : [];
  },
  train(row, device) {
    return [over(row, device === 'cpu' ? 1.15 : 1.3, 'times as fast as PyTorch eager')];
  },
  pipeline(row, device) {
    if (row.points) {
      return [
        { what: 'more cost of a tile in a longer stream', wanted: 0.1, atMost: true, value: row.costGrowth },
        { what: 'more resident memory', wanted: 0.1, atMost: true, value: row.residentGrowth },
      ];
    }
    if (row.ofSlower) {
      const bar = {
        what: 'of the slower of decoding and embedding',
        wanted: 0.9,
        value: row.ofSlower.median,
        best: row.ofSlower.high,
      };
      return device === 'cpu'
        ? [bar]
        : [bar, { what: 'tiles/s from JPEG files', wanted: 5000, value: row.ours.perSecond }];
    }
    const [{ ratio }] = row.rivals;
    if (row.batch === 1) {
      return [{ what: 'ms for one tile', wanted: 1.5, atMost: true, value: 1000 * row.ours.seconds.median }];
    }
    return [
      {
        what: 'more than the core alone',
        wanted: 0.03,
        atMost: true,
        // Of calls as short as a quick run's, noise is a larger part.
        limit: 0.25,
        value: ratio && 1 / ratio.median - 1,
        best: ratio && 1 / ratio.best - 1,
      },
    ];
  },
};
