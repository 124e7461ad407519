// Whole slides: tiled TIFF by our own reader, the look of it, a region.
import { openSlideWith } from '../../../lib/api/open-slide.js';
import { allOf } from '../outcomes.js';
import { hold } from '../verdict.js';

const side = (value) => Number.isSafeInteger(value) && value >= 1;

/** The native core's checks, and pictures that are white. */
const slide = {
  async renderRegion(pieces, levelWidth, levelHeight, { x, y, scale, width, height }) {
    hold([levelWidth, levelHeight, width, height].every(side), `a level of ${levelWidth} x ${levelHeight}`);
    hold([x, y, scale].every(Number.isFinite) && scale > 0, `a region at ${x}, ${y}, scaled by ${scale}`);
    for (const piece of pieces) {
      hold(side(piece.width) && side(piece.height), `a piece of ${piece.width} x ${piece.height}`);
      hold(piece.pixels.length === piece.width * piece.height * 3, 'a piece without its pixels');
    }
    return new Uint8Array(width * height * 3);
  },
  loadOpenSlide: () => undefined,
};

export default {
  extension: '.tif',
  words: [
    'Aperio Image |MPP = 0.25|AppMag = 20',
    '<OME><Pixels PhysicalSizeX="0.5" ',
    "PhysicalSizeXUnit='nm'",
    '<Pixels',
    'PhysicalSizeX="',
  ],
  async run(path) {
    const opened = await openSlideWith(async () => ({ slide }), path, { backend: 'tiff', mpp: 0.5 });
    try {
      await look(opened);
    } finally {
      await opened.dispose();
    }
  },
};

async function look(opened) {
  const { levels, width, height, objectivePower, associated } = opened;
  hold(
    levels.every((level) => side(level.width) && side(level.height)),
    'a level without pixels',
  );
  hold(
    levels.every(({ downsample }) => downsample >= 1 && Number.isFinite(downsample)),
    'a level too fine',
  );
  hold(objectivePower === null || objectivePower > 0, `power ${objectivePower}`);
  hold(
    associated.every((name) => typeof name === 'string'),
    'a picture without a name',
  );
  await allOf(
    () => opened.readRegion({ x: 0, y: 0, width: 40, height: 40, mpp: 0.5 }),
    () => opened.readRegion({ x: width - 20.5, y: height - 20.5, width: 64, height: 64, mpp: 1 }),
    () => opened.thumbnail(64),
  );
}
