/** The audit of a source before training: types. */
import type { RuntimeOptions, TileSelection, UnreadableTile } from '../types.js';
import type { Manifold } from './manifold.js';

export interface AuditOptions extends TileSelection, RuntimeOptions {
  /** Manifest column whose other values are compared with the source: `site`. The source is the value that `where` gives it. */
  againstColumn?: string;
  /** Folder or manifest of other tiles to compare with. */
  againstTiles?: string;
  /** Manifest column of slides or patients. Default `slide`, where there is such a column. */
  slideColumn?: string;
  /** Tiles looked at in the source and in each other site, evenly spread, at least 2. Default 400. */
  limit?: number;
  /** Side that tiles are measured at, a multiple of 32 from 32 to 1024. Default: the first tile's, rounded down. */
  tileSize?: number;
  /** The prior to compare with. Default: that of `train`. */
  manifold?: Manifold;
  /** Of the virtual labs, as in `train`. Default 1. */
  seed?: number;
  onProgress?: (done: number, total: number) => void;
}

/** What of a stain is measured: ln of its concentration, and its vector's two angles in degrees. */
export type AuditQuantity =
  | 'haematoxylin concentration'
  | 'eosin concentration'
  | 'haematoxylin hue'
  | 'haematoxylin tilt'
  | 'eosin hue'
  | 'eosin tilt';

export interface AuditSpread {
  quantity: AuditQuantity;
  /** Robust deviation over tiles, and over the medians of slides (null with fewer than three slides). */
  tiles: number;
  slides: number | null;
  /** Deviation of the manifold's prior. */
  prior: number;
  /** Share of the tiles within two deviations of the prior about the source's median, 0 to 1. */
  within: number;
}

/** A site, or a virtual lab, beside the source. */
export interface AuditSite {
  name: string;
  tiles: number;
  /** Its medians minus the source's, in the source's own robust deviations over tiles. NaN where no tile can be separated. */
  inSource: Record<AuditQuantity, number>;
  /** The same in deviations of the manifold's prior. */
  inPrior: Record<AuditQuantity, number>;
  /** Some quantity is further than two deviations from the source's own median. */
  outsideSource: boolean;
  /** Some quantity is further than two deviations of the prior away: training with it does not reach there. */
  outsidePrior: boolean;
  /** Mean CIELAB colour. */
  lab: [number, number, number];
}

export interface AuditWarning {
  code:
    | 'few-tiles'
    | 'few-slides'
    | 'homogeneous'
    | 'white'
    | 'blurred'
    | 'duplicates'
    | 'weak-stain'
    | 'outside-prior';
  message: string;
}

export interface Audit {
  tiles: number;
  /** Distinct values of the slide column; null without one. */
  slides: number | null;
  tileSize: number;
  /** Shares of the tiles, 0 to 1: with too little or too odd a stain to separate, of glass, and mostly white. */
  fallback: number;
  blank: number;
  white: number;
  spread: AuditSpread[];
  /** CIELAB: mean over tiles of the tiles' means, and the deviation of the tiles' means. */
  lab: { mean: [number, number, number]; spread: [number, number, number] };
  /** Share of fine detail, 0 to 1: median, and share of tiles with less than a third of it. */
  sharpness: { median: number; blurred: number };
  /** Groups of tiles that look the same. */
  duplicates: string[][];
  /** Real sites given to compare with. */
  sites: AuditSite[];
  /** The virtual labs that training would draw, measured on the source's own tiles. */
  virtualLabs: AuditSite[];
  warnings: AuditWarning[];
  unreadable: UnreadableTile[];
}
