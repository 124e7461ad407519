/** The manifold: everything a tile could have looked like. One type for each kind, and the transforms they are made of. */
import type { ManifoldOptions, RenderOptions, RuntimeOptions } from '../types.js';

/** What every kind has. */
export interface ManifoldCommon {
  /** Virtual labs, 1 to 4096. Default 64. */
  labs?: number;
  /** Rotations by 90 degrees and flips, shared by a tile's views. Default true. */
  geometry?: boolean;
  /** In a list of manifolds: the value of `stainColumn` whose tiles it renders. Default: the kind. */
  stain?: string;
}

/** A kind whose spreads `strength` multiplies, unless they are given. A spread is a standard deviation, cut off at two. */
export interface ManifoldScaled extends ManifoldCommon {
  /** Multiplies every between-lab spread that is not given, 0 to 4. Default 1, and 1.5 for H&E. */
  strength?: number;
  /** Spread of views within a lab, as a share of that between labs, 0 to 4. Default: 0.25. */
  jitter?: number;
}

/** Spreads of bright-field stains, each in place of `strength` times its default. */
export interface StainSpreads {
  /** Of ln(stain amount), per stain, 0 to 4. Default: 0.25. */
  concentration?: number;
  /** Of an added stain amount, optical density, 0 to 1. Default: 0.03. */
  background?: number;
  /** Of each stain's colour, degrees, 0 to 90. Default: 9; H-DAB 5. */
  rotation?: number;
  /** Of ln(gain), per channel, 0 to 2. Default: 0.06. */
  gain?: number;
  /** Of ln(gamma), 0 to 2. Default: 0.12. */
  gamma?: number;
  /** Largest blur of every second view, pixels, 0 to 8. Default: 0.8. */
  blur?: number;
  /** Least JPEG quality of every second view, 1 to 100; 100 is no re-compression. Default: 40. */
  jpegQualityMin?: number;
}

/** Haematoxylin and DAB (immunohistochemistry). */
export interface HdabManifold extends ManifoldScaled, StainSpreads {
  kind: 'hdab';
}

/** Fluorescence: light on black, a channel a dye. */
export interface FluorescenceManifold extends ManifoldScaled {
  kind: 'fluorescence';
  /** Of ln(gain), per channel, 0 to 2. Default: 0.25. */
  gain?: number;
  /** Of added light, per channel, 0 to 1. Default: 0.02. */
  background?: number;
  /** Of ln(gamma), 0 to 2. Default: 0.15. */
  gamma?: number;
  /** Of the noise's deviation at full light, 0 to 1; four fifths of its variance are photons'. Default: 0.02. */
  noise?: number;
  /** Largest blur of every second view, pixels, 0 to 8. Default: 0.8. */
  blur?: number;
}

/** CT and MRI: window, gain, bias field. */
export interface IntensityManifold extends ManifoldScaled {
  kind: 'intensity';
  /** 1: a grey picture stays grey; 3: the channels are pictures of their own. Default: 1. */
  channels?: 1 | 3;
  /** Of the window's lower end, light, 0 to 0.2. Default: 0.03. */
  low?: number;
  /** Of ln(the window's upper end), 0 to 0.3. Default: 0.15. */
  high?: number;
  /** Of ln(gain), 0 to 2. Default: 0.05. */
  gain?: number;
  /** Of the bias field's coefficients, logarithm of light, 0 to 1. Default: 0.1. */
  bias?: number;
  /** Of the noise's deviation, light, 0 to 1. Default: 0.01. */
  noise?: number;
  /** Largest blur of every second view, pixels, 0 to 8. Default: 0.8. */
  blur?: number;
}

/** Tellez et al.: an augmentation. Each view is drawn afresh. */
export interface HedJitterManifold extends ManifoldCommon {
  kind: 'hed-jitter';
  /** Multiplies sigma where it is not given, 0 to 4. Default 1. */
  strength?: number;
  /** Stain amounts a C + b with a uniform in 1 ± sigma, b in ± sigma (natural optical density), 0 to 1. Default: 0.05. */
  sigma?: number;
}

/** StainTools' augmentation: amounts of the tile's own Macenko stains. Each view is drawn afresh. */
export interface MacenkoJitterManifold extends ManifoldCommon {
  kind: 'macenko-jitter';
  /** Multiplies the sigmas that are not given, 0 to 4. Default 1. */
  strength?: number;
  /** a is uniform in 1 ± sigma1, 0 to 4. Default: 0.2. */
  sigma1?: number;
  /** b is uniform in ± sigma2, natural optical density, 0 to 1. Default: 0.2. */
  sigma2?: number;
}

/** Means and deviations of tiles in CIELAB (L, a, b), and how they vary from tile to tile. */
export interface ColourStatistics {
  /** Mean of the tiles' means. */
  mean: [number, number, number];
  /** Standard deviation of the tiles' means. */
  meanSpread: [number, number, number];
  /** Mean of the tiles' standard deviations. */
  deviation: [number, number, number];
  /** Standard deviation of the tiles' standard deviations. */
  deviationSpread: [number, number, number];
}

/** Shen et al. 2022: each view takes the colours of a template drawn afresh from the data's own distribution. */
export interface RandStainNaManifold extends ManifoldCommon {
  kind: 'randstainna';
  /** Multiplies the two spreads of the statistics, 0 to 4; 0 normalises to their mean. Default 1. */
  strength?: number;
  /** Default: fitted to the tiles. */
  statistics?: ColourStatistics;
}

/** Any composition of the transforms. */
export interface CustomManifold extends ManifoldCommon {
  kind: 'custom';
  /** What a view goes through, in this order, 1 to 32. */
  transforms: ManifoldTransform[];
  /** Spread of views within a lab, as a share of that between labs, 0 to 4. Default: 0.25. */
  jitter?: number;
  /** An augmentation: each view is drawn afresh, without jitter. Default: false. */
  fresh?: boolean;
}

/** A primitive transform: its type and its parameters; those left out have H&E's values. */
export type ManifoldTransform =
  | {
      type: 'stain';
      /** Two colours as optical densities of red, green and blue. Default 'he'. */
      vectors?: 'he' | 'hdab' | [[number, number, number], [number, number, number]];
      /** Macenko's stains of each tile, or always `vectors`. Default true. */
      estimate?: boolean;
      /** Degrees that an estimate may lie from `vectors`, 0 to 180. Default 180. */
      tolerance?: number;
      /** Default 0.25. */
      concentration?: number;
      /** Default 0.03. */
      background?: number;
      /** Default 9. */
      rotation?: number;
      /** a uniform in 1 ± concentration, b in ± background. Default false. */
      uniform?: boolean;
    }
  /** Ruifrok's haematoxylin, eosin and DAB: a uniform in 1 ± scale, b in ± offset. Defaults 0.05. */
  | { type: 'hed'; scale?: number; offset?: number }
  /** J' = g J: spread of ln(g) (0.06), and the share of its variance that channels have in common (0.8). */
  | { type: 'gain'; spread?: number; common?: number }
  /** J' = J^g: spread of ln(g) (0.12). */
  | { type: 'gamma'; spread?: number }
  /** I' = I + b: spread of b (0.02), share in common (0). */
  | { type: 'background'; spread?: number; common?: number }
  /** I' = (I - l) / (h - l): spreads of l (0.03) and ln(h) (0.15), share in common (1). */
  | { type: 'window'; low?: number; high?: number; common?: number }
  /** I' = I exp(f), f a polynomial of second order: spread of its coefficients (0.1), share in common (1). */
  | { type: 'bias'; spread?: number; common?: number }
  /** Deviation's spread (0.02), share of the variance that is photons' (0), share in common (0). */
  | { type: 'noise'; spread?: number; shot?: number; common?: number }
  /** A tile's mean and deviation in CIELAB become those of a template. */
  | ({ type: 'template' } & ColourStatistics)
  /** Largest blur, pixels (0.8), and the share of views (0.5). */
  | { type: 'blur'; sigma?: number; share?: number }
  /** Least quality (40), and the share of views (0.5). */
  | { type: 'jpeg'; qualityMin?: number; share?: number };

/** The prior of virtual labs; without `kind`, H&E. */
export type Manifold =
  | ManifoldOptions
  | HdabManifold
  | FluorescenceManifold
  | IntensityManifold
  | HedJitterManifold
  | MacenkoJitterManifold
  | RandStainNaManifold
  | CustomManifold;

export type ManifoldKind = NonNullable<Manifold['kind']>;

export interface ManifoldSheetOptions extends Omit<RenderOptions, 'tileSize'> {
  /** Side in pixels, a multiple of 32 from 32 to 1024. Default 256. */
  tileSize?: number;
}

export interface ManifoldSheet {
  /** Absolute. */
  path: string;
  /** Pixels. */
  width: number;
  height: number;
  tiles: number;
  labs: number;
}

export interface ColourStatisticsOptions extends RuntimeOptions {
  /** Side in pixels that tiles are brought to, a multiple of 32 from 32 to 1024. Default 256. */
  tileSize?: number;
}
