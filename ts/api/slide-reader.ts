/** The slide reader, as embedding uses it. */
import { openSlide } from './open-slide.js';
import type { SlideReader } from './slide-embed.js';
import { slideTiles, tileSlide } from './tile-slide.js';

export const slideReader: SlideReader = { openSlide, tileSlide, slideTiles };
