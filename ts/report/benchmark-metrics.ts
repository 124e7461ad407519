import type { BenchmarkScores, BenchmarkSiteScores, ProbeScore } from '../types.js';
import type { Better } from './table.js';

/** One number of a run, and how to read it. */
export interface BenchmarkMetric {
  key: string;
  /** Of the table: what gives the site away, or what a probe reaches. */
  table: 'sites' | 'probe';
  title: string;
  better: Better;
  /** One sentence for a reader who meets it for the first time. */
  about: string;
  /** What guessing reaches. */
  chance?: (scores: BenchmarkScores) => number | undefined;
  read: (scores: BenchmarkScores) => number | undefined;
  /** Its 95 % interval, bootstrapped over groups. */
  interval?: (scores: BenchmarkScores) => [number, number] | undefined;
  /** Drawn in the report. */
  drawn: boolean;
}

type SiteNumber = (sites: BenchmarkSiteScores) => number | undefined;
const overAll =
  (of: SiteNumber): BenchmarkMetric['read'] =>
  ({ all }) =>
    of(all);
const overUnseen =
  (of: SiteNumber): BenchmarkMetric['read'] =>
  ({ unseen }) =>
    unseen === null ? undefined : of(unseen);

type ProbeNumber = 'balancedAccuracy' | 'auroc' | 'macroF1';
const ofProbe = (
  part: 'withinSource' | 'unseenMean',
  key: ProbeNumber,
): Pick<BenchmarkMetric, 'read' | 'interval'> => ({
  read: ({ probe }) => probe?.[part][key],
  interval: ({ probe }) => intervalOf(probe?.[part], key),
});

function intervalOf(score: ProbeScore | undefined, key: ProbeNumber): [number, number] | undefined {
  return score?.intervals?.[key];
}

export const BENCHMARK_METRICS: readonly BenchmarkMetric[] = [
  {
    key: 'knn-unseen',
    table: 'sites',
    title: 'k-NN site accuracy, unseen sites',
    better: 'lower',
    about:
      'Among tiles of the sites never trained on: how often the nearest neighbours give the site away (balanced accuracy).',
    chance: ({ unseen }) => unseen?.chance,
    read: overUnseen(({ knn }) => knn),
    drawn: true,
  },
  {
    key: 'knn-unseen-other-slides',
    table: 'sites',
    title: 'k-NN site accuracy, other slides only, unseen sites',
    better: 'lower',
    about:
      "The same from neighbours of other slides (patients, whatever the group column holds) than the tile's own: what reads the site and not the slide.",
    chance: ({ unseen }) => unseen?.chance,
    read: overUnseen(({ knnOtherGroups }) => knnOtherGroups),
    drawn: true,
  },
  {
    key: 'knn-all',
    table: 'sites',
    title: 'k-NN site accuracy, all sites',
    better: 'lower',
    about: 'From all neighbours, over all sites, the source among them.',
    chance: ({ all }) => all.chance,
    read: overAll(({ knn }) => knn),
    drawn: true,
  },
  {
    key: 'silhouette-cosine',
    table: 'sites',
    title: 'silhouette, cosine',
    better: 'nearer zero',
    about: 'How far the sites form clusters of their own, by angle, -1 to 1: 0 is mixed, 1 is apart.',
    read: overAll(({ silhouette }) => silhouette.cosine),
    drawn: true,
  },
  {
    key: 'silhouette-euclidean',
    table: 'sites',
    title: 'silhouette, Euclidean',
    better: 'nearer zero',
    about: 'The same by straight-line distance.',
    read: overAll(({ silhouette }) => silhouette.euclidean),
    drawn: false,
  },
  {
    key: 'lisi',
    table: 'sites',
    title: 'LISI',
    better: 'higher',
    about: 'The effective number of sites among neighbours: 1 is apart, the number of sites is mixed.',
    read: overAll(({ lisi }) => lisi),
    drawn: false,
  },
  {
    key: 'kbet',
    table: 'sites',
    title: 'kBET rejection',
    better: 'lower',
    about:
      'The share of neighbourhoods whose mix of sites differs from that of all tiles (chi-square at 0.05): 0.05 is mixed, 1 is apart.',
    read: overAll(({ kbet }) => kbet),
    drawn: false,
  },
  {
    key: 'w2',
    table: 'sites',
    title: 'W2²/dim',
    better: 'lower',
    about:
      'Squared 2-Wasserstein distance between sites, columns standardised by the source, per dimension, mean over pairs.',
    read: overAll(({ w2 }) => w2),
    drawn: true,
  },
  {
    key: 'variance-explained',
    table: 'sites',
    title: 'variance by site, R²',
    better: 'lower',
    about: 'The share of the variance of the embedding that the site explains (PERMANOVA).',
    read: overAll(({ varianceExplained }) => varianceExplained),
    drawn: false,
  },
  {
    key: 'probe-unseen',
    table: 'probe',
    title: 'balanced accuracy, unseen sites',
    better: 'higher',
    about: 'A linear probe trained on the source alone, on the sites it never saw, mean over sites.',
    chance: ({ probeChance }) => probeChance ?? undefined,
    ...ofProbe('unseenMean', 'balancedAccuracy'),
    drawn: true,
  },
  {
    key: 'probe-unseen-auroc',
    table: 'probe',
    title: 'AUROC, unseen sites',
    better: 'higher',
    about: 'Area under the ROC curve on the unseen sites, mean over sites: 0.5 is guessing, 1 is perfect.',
    chance: () => 0.5,
    ...ofProbe('unseenMean', 'auroc'),
    drawn: true,
  },
  {
    key: 'probe-unseen-f1',
    table: 'probe',
    title: 'macro-F1, unseen sites',
    better: 'higher',
    about: 'Macro-averaged F1 on the unseen sites, mean over sites.',
    ...ofProbe('unseenMean', 'macroF1'),
    drawn: true,
  },
  {
    key: 'probe-source',
    table: 'probe',
    title: 'balanced accuracy, source',
    better: 'higher',
    about:
      'The same probe on held-out groups of the source: what the embedding knows where nothing is foreign.',
    chance: ({ probeChance }) => probeChance ?? undefined,
    ...ofProbe('withinSource', 'balancedAccuracy'),
    drawn: true,
  },
  {
    key: 'probe-source-auroc',
    table: 'probe',
    title: 'AUROC, source',
    better: 'higher',
    about: 'Area under the ROC curve on held-out groups of the source.',
    chance: () => 0.5,
    ...ofProbe('withinSource', 'auroc'),
    drawn: false,
  },
];
