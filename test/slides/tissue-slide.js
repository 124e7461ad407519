// A slide of phantom tissue whose every tile is known for what it is: squares of 256 pixels at 0.5 µm, one a cell.
import sharp from 'sharp';
import { loadNative } from '../../lib/internal/load.js';
import { mppTags, pyramidOf, writeTiff } from './pyramids.js';

export const SIDE = 256;
export const MPP = 0.5;
const native = await loadNative();
const TUMOUR = 2;

async function tissue(seed) {
  return Buffer.from(await native.phantom.render({ tissue: TUMOUR, size: SIDE, mpp: MPP, seed, labs: [0] }));
}

const raw = { raw: { width: SIDE, height: SIDE, channels: 3 } };
const over = (pixels, paint) => {
  const painted = Buffer.from(pixels);
  for (let i = 0; i < painted.length; i += 3) painted.set(paint([...painted.subarray(i, i + 3)], i / 3), i);
  return painted;
};
const absorb = (pixels, share) => over(pixels, (rgb) => rgb.map((value, c) => value * share[c]));

/** How each letter of a plan is drawn, and the status that it must get. */
export const CELLS = {
  ' ': { status: null, draw: async () => Buffer.alloc(SIDE * SIDE * 3, 240) },
  t: { status: 'ok', draw: tissue },
  b: {
    status: 'blur',
    draw: async (seed) =>
      sharp(await tissue(seed), raw)
        .blur(4)
        .raw()
        .toBuffer(),
  },
  // Inks multiply with what they are drawn on.
  g: { status: 'pen', draw: async (seed) => absorb(await tissue(seed), [0.15, 0.75, 0.35]) },
  u: { status: 'pen', draw: async (seed) => absorb(await tissue(seed), [0.08, 0.3, 0.9]) },
  // So black that it is no tissue in the first place.
  k: { status: null, draw: async (seed) => absorb(await tissue(seed), [0.05, 0.05, 0.05]) },
  d: { status: 'pen', draw: async (seed) => absorb(await tissue(seed), [0.17, 0.17, 0.17]) },
  f: {
    status: 'fold',
    draw: async (seed) => {
      const below = await tissue(seed + 500);
      return over(await tissue(seed), (rgb, i) => rgb.map((value, c) => (value * below[3 * i + c]) / 245));
    },
  },
};

/** `plan`: rows of letters. */
export async function writeTissueSlide(path, plan, tags = []) {
  const width = plan[0].length * SIDE;
  const height = plan.length * SIDE;
  const data = new Uint8Array(width * height * 3);
  for (const [row, line] of plan.entries()) {
    for (const [column, letter] of [...line].entries()) {
      const cell = await CELLS[letter].draw(1 + row * line.length + column);
      for (let y = 0; y < SIDE; y++) {
        const to = ((row * SIDE + y) * width + column * SIDE) * 3;
        data.set(cell.subarray(y * SIDE * 3, (y + 1) * SIDE * 3), to);
      }
    }
  }
  const levels = pyramidOf({ data, width, height }, 4);
  return writeTiff(path, levels, { tile: SIDE, tags: [...mppTags(MPP), ...tags] });
}
