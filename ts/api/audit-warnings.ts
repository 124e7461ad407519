/** What an audit warns of. Thresholds stand here and in docs/method.md. */
import type { Audit, AuditWarning } from '../types.js';

const LEAST_TILES = 100;
const LEAST_SLIDES = 5;
/** A source varies less than this share of the prior in every quantity: its slides look like one slide. */
const HOMOGENEOUS = 0.2;
const MANY = 0.1;
const MOST_WHITE = 0.3;
/** Fine detail that even soft scanners leave. */
const LEAST_SHARPNESS = 0.02;

export function warningsOf(audit: Omit<Audit, 'warnings'>): AuditWarning[] {
  const { tiles, slides, spread, white, blank, sharpness, duplicates, fallback, sites } = audit;
  const warnings: AuditWarning[] = [];
  const warn = (when: boolean, code: AuditWarning['code'], message: string) => {
    if (when) warnings.push({ code, message });
  };
  const percent = (x: number) => `${(100 * x).toFixed(0)} %`;
  warn(tiles < LEAST_TILES, 'few-tiles', `${tiles} tiles: an encoder wants some hundreds at least`);
  warn(
    slides !== null && slides < LEAST_SLIDES,
    'few-slides',
    `${slides} ${slides === 1 ? 'slide' : 'slides'}: what differs between slides cannot be learnt from so few`,
  );
  const measured = spread.map(({ slides, tiles, prior }) => (slides ?? tiles) / Math.max(prior, 1e-9));
  const widest = Math.max(...measured);
  warn(
    widest < HOMOGENEOUS && spread.some(({ prior }) => prior > 0),
    'homogeneous',
    `the stain hardly varies (at most ${percent(widest)} of the prior's deviation): all variety will be the manifold's`,
  );
  warn(
    white > MOST_WHITE,
    'white',
    `${percent(white)} of the tiles are mostly glass (${percent(blank)} wholly): leave them out`,
  );
  warn(
    sharpness.median < LEAST_SHARPNESS || sharpness.blurred > MANY,
    'blurred',
    sharpness.median < LEAST_SHARPNESS
      ? 'the tiles hold hardly any fine detail: out of focus, or enlarged'
      : `${percent(sharpness.blurred)} of the tiles have less than a third of the usual detail`,
  );
  const copies = duplicates.reduce((sum, files) => sum + files.length - 1, 0);
  warn(
    copies > 0,
    'duplicates',
    `${copies} of the tiles look like another one: copies are pushed apart in training`,
  );
  warn(
    fallback > MOST_WHITE,
    'weak-stain',
    `${percent(fallback)} of the tiles have too little or too odd a stain to separate: is it haematoxylin and eosin?`,
  );
  const outside = sites.filter(({ outsidePrior }) => outsidePrior).map(({ name }) => name);
  warn(
    outside.length > 0,
    'outside-prior',
    `${outside.join(', ')}: outside the manifold's prior; a larger strength reaches further`,
  );
  return warnings;
}
