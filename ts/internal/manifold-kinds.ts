/** Each kind of manifold as the list of transforms that it stands for. */
import { StainfoldError } from '../errors.js';
import type { NativeManifoldOptions, NativeTransform } from './native-manifold.js';
import type { ManifoldSettings, TransformSettings } from './validate-manifold.js';

/** Optical densities of red, green and blue: Ruifrok & Johnston 2001. */
const VECTORS = {
  he: [0.65, 0.7, 0.29, 0.07, 0.99, 0.11],
  hdab: [0.65, 0.7, 0.29, 0.27, 0.57, 0.78],
};
/** Degrees. A tile without DAB gives a second haematoxylin, which is no brown. */
const HDAB_TOLERANCE = 25;
const WITHIN_LAB = 0.25;

type Kind<Name extends ManifoldSettings['kind']> = Extract<ManifoldSettings, { kind: Name }>;

/** What the native core renders. Without `kind`, H&E: the prior of native/include/stainfold/manifold.h. */
export function nativeManifold(
  manifold: ManifoldSettings | (Omit<Kind<'he'>, 'kind'> & { kind?: 'he' }),
): NativeManifoldOptions {
  const settings = { kind: 'he', ...manifold } as ManifoldSettings;
  return {
    labs: settings.labs,
    jitter: ('jitter' in settings ? settings.jitter : undefined) ?? WITHIN_LAB,
    geometry: settings.geometry,
    fresh: isFresh(settings),
    transforms: transformsOf(settings),
  };
}

/** The published augmentations know no labs: every view is a draw of its own. */
function isFresh(settings: ManifoldSettings): boolean {
  if (settings.kind === 'custom') return settings.fresh ?? false;
  return ['hed-jitter', 'macenko-jitter', 'randstainna'].includes(settings.kind);
}

function transformsOf(settings: ManifoldSettings): NativeTransform[] {
  switch (settings.kind) {
    case 'he':
      return brightField(settings, VECTORS.he, 180, 9);
    case 'hdab':
      return brightField(settings, VECTORS.hdab, HDAB_TOLERANCE, 5);
    case 'fluorescence':
      return fluorescence(settings);
    case 'intensity':
      return intensity(settings);
    case 'hed-jitter': {
      const sigma = settings.sigma ?? Math.min(1, 0.05 * settings.strength);
      return [{ type: 'hed', scale: sigma, offset: sigma }];
    }
    case 'macenko-jitter':
      return [
        {
          ...stain(VECTORS.he, 180),
          concentration: settings.sigma1 ?? 0.2 * settings.strength,
          background: settings.sigma2 ?? 0.2 * settings.strength,
          uniform: true,
        },
      ];
    case 'randstainna': {
      if (settings.statistics === undefined) {
        throw new StainfoldError('STAINFOLD_OPTION', 'manifold.statistics must be given, got undefined', {
          hint: 'fitColourStatistics(tiles) gives them.',
        });
      }
      const { mean, meanSpread, deviation, deviationSpread } = settings.statistics;
      const scaled = ([l, a, b]: [number, number, number]): [number, number, number] => [
        l * settings.strength,
        a * settings.strength,
        b * settings.strength,
      ];
      return [
        {
          type: 'template',
          mean,
          meanSpread: scaled(meanSpread),
          deviation,
          deviationSpread: scaled(deviationSpread),
        },
      ];
    }
    case 'custom':
      return settings.transforms.map(nativeTransform);
  }
}

function nativeTransform(transform: TransformSettings): NativeTransform {
  if (transform.type !== 'stain') return transform;
  const { vectors } = transform;
  return { ...transform, vectors: typeof vectors === 'string' ? VECTORS[vectors] : vectors.flat() };
}

function stain(vectors: number[], tolerance: number): Extract<NativeTransform, { type: 'stain' }> {
  return {
    type: 'stain',
    vectors,
    estimate: true,
    tolerance,
    concentration: 0,
    background: 0,
    rotation: 0,
    uniform: false,
  };
}

function brightField(
  settings: Kind<'he'> | Kind<'hdab'>,
  vectors: number[],
  tolerance: number,
  rotation: number,
): NativeTransform[] {
  const { strength } = settings;
  return [
    {
      ...stain(vectors, tolerance),
      concentration: settings.concentration ?? 0.25 * strength,
      background: settings.background ?? 0.03 * strength,
      rotation: settings.rotation ?? rotation * strength,
    },
    { type: 'gain', spread: settings.gain ?? 0.06 * strength, common: 0.8 },
    { type: 'gamma', spread: settings.gamma ?? 0.12 * strength },
    { type: 'blur', sigma: settings.blur ?? 0.8 * strength, share: 0.5 },
    {
      type: 'jpeg',
      qualityMin: settings.jpegQualityMin ?? Math.max(10, Math.round(100 - 60 * strength)),
      share: 0.5,
    },
  ];
}

/** The microscope's focus, the lamp, stray light, photons, then the camera's curve. */
function fluorescence(settings: Kind<'fluorescence'>): NativeTransform[] {
  const { strength } = settings;
  return [
    { type: 'blur', sigma: settings.blur ?? 0.8 * strength, share: 0.5 },
    { type: 'gain', spread: settings.gain ?? 0.25 * strength, common: 0.3 },
    { type: 'background', spread: settings.background ?? 0.02 * strength, common: 0.3 },
    { type: 'noise', spread: settings.noise ?? 0.02 * strength, shot: 0.8, common: 0 },
    { type: 'gamma', spread: settings.gamma ?? 0.15 * strength },
  ];
}

/** The scanner's field, its gain, its kernel and its noise, then the viewer's window. */
function intensity(settings: Kind<'intensity'>): NativeTransform[] {
  const { strength } = settings;
  const common = settings.channels === 3 ? 0 : 1;
  return [
    { type: 'bias', spread: settings.bias ?? 0.1 * strength, common },
    { type: 'gain', spread: settings.gain ?? 0.05 * strength, common },
    { type: 'blur', sigma: settings.blur ?? 0.8 * strength, share: 0.5 },
    { type: 'noise', spread: settings.noise ?? 0.01 * strength, shot: 0, common },
    {
      type: 'window',
      low: settings.low ?? Math.min(0.2, 0.03 * strength),
      high: settings.high ?? Math.min(0.3, 0.15 * strength),
      common,
    },
  ];
}
