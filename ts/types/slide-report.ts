/** Slides as pictures: types. */
import type { SlideOptions, TilingOptions } from './slide.js';

export interface SlideReportOptions {
  /** Paths of the slides. */
  slides: readonly string[];
  /** A file of features for each slide, as `embedSlides` or another tool wrote it; without, the tiles are embedded again. */
  features?: readonly (string | undefined)[];
  /** How slides are opened: mpp, mppFile, backend, icc, cacheBytes. */
  slide?: Omit<SlideOptions, 'signal'>;
  /** How they are tiled; as the features were. Default: tiles of the model's size at 0.5 µm a pixel. */
  tiling?: Omit<TilingOptions, 'signal' | 'onProgress' | 'quality'>;
  /** Leave out glass, blur, pen and folds. Default true. */
  quality?: boolean;
  /** Level-0 position in the tile that the others are compared with. Default: each slide's most typical tile. */
  like?: { x: number; y: number };
  /** A linear probe: its score w·z + b is drawn, too. */
  probe?: { weights: readonly number[]; bias?: number; name?: string };
  /** Folder that the pictures go to as PNG, one folder a slide. Default: none. */
  pictures?: string;
  /** Default `Slides`. */
  title?: string;
  /** Shown in the report. */
  command?: string;
  signal?: AbortSignal;
  /** Tiles looked at, of a slide's. */
  onProgress?: (progress: {
    slide: number;
    slides: number;
    name: string;
    done: number;
    total: number;
  }) => void;
}

export type SlidePictureName = 'tiles' | 'components' | 'ood' | 'similarity' | 'probe' | 'montage';

export interface ReportedSlide {
  slide: string;
  path: string;
  /** Tiles with features. */
  tiles: number;
  /** Tiles above the threshold of the out-of-distribution score; null without statistics in the model. */
  flagged: number | null;
  /** Paths of the PNG files, where `pictures` was given. */
  pictures: Partial<Record<SlidePictureName, string>>;
  error: { code: string; message: string } | undefined;
}

export interface SlideReport {
  path: string;
  slides: ReportedSlide[];
}
