// Faults that real slides have, made on good tiles: for tests and for scripts/ood-evidence.mjs. Light is absorbed by
// Beer-Lambert's law; positions and sizes are a function of the seed.

/** A seeded generator of numbers in [0,1): mulberry32. */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const density = (grey) => -Math.log((grey + 1) / 240);
const grey = (d) => Math.max(0, Math.min(255, Math.round(240 * Math.exp(-d) - 1)));

/** Calls visit(index of the pixel's red byte, x, y) for every pixel; the tile that `visit` fills is returned. */
function change(tile, visit) {
  const { width, height } = tile;
  const data = new Uint8Array(tile.data);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) visit(data, 3 * (y * width + x), x, y);
  return { ...tile, data };
}

/** A band across the tile: its soft-edged mask, and the direction across it. */
function band({ width }, random, least, most) {
  const angle = Math.PI * random();
  const [across, down] = [Math.cos(angle), Math.sin(angle)];
  const middle = width / 2 + (random() - 0.5) * 0.4 * width;
  const half = (least + (most - least) * random()) * width * 0.5;
  const mask = (x, y) => {
    const distance = (x - middle) * across + (y - middle) * down;
    return 1 / (1 + Math.exp((Math.abs(distance) - half) / 1.5));
  };
  return { mask, across, down };
}

/** Three layers where one should be: a band of 0.2 to 0.4 of the side, tissue from beside it lying twice on top. */
export function fold(tile, random) {
  const { width, height } = tile;
  const { mask, across, down } = band(tile, random, 0.2, 0.4);
  const shift = (0.2 + 0.3 * random()) * width;
  const at = (x, y, c) => tile.data[3 * (((y + height) % height) * width + ((x + width) % width)) + c];
  const [dx, dy] = [Math.round(shift * across), Math.round(shift * down)];
  return change(tile, (data, i, x, y) => {
    const share = mask(x, y);
    for (let c = 0; c < 3; c++) {
      const above = Math.max(0, density(at(x - dx, y - dy, c)));
      const turned = Math.max(0, density(at(width - 1 - x + dx, height - 1 - y + dy, c)));
      data[i + c] = grey(density(tile.data[i + c]) + share * (above + turned));
    }
  });
}

/** Blue, green or black ink in a stroke of 0.08 to 0.2 of the side. */
export function pen(tile, random) {
  const { mask } = band(tile, random, 0.08, 0.2);
  const inks = [
    [1.6, 1.0, 0.25],
    [1.5, 0.5, 1.1],
    [2.2, 2.2, 2.2],
  ];
  const ink = inks[Math.floor(3 * random())];
  return change(tile, (data, i, x, y) => {
    const share = mask(x, y);
    for (let c = 0; c < 3; c++) data[i + c] = grey(density(tile.data[i + c]) + share * ink[c]);
  });
}

/** Out of focus: a Gaussian of 3 to 6 pixels, three box means in each direction. */
export function blur(tile, random) {
  const sigma = 3 + 3 * random();
  const radius = Math.max(1, Math.round((Math.sqrt((12 * sigma * sigma) / 3 + 1) - 1) / 2));
  const { width, height } = tile;
  let from = Float32Array.from(tile.data);
  for (let pass = 0; pass < 3; pass++) {
    for (const [along, count, across, lines] of [
      [3, width, 3 * width, height],
      [3 * width, height, 3, width],
    ]) {
      const to = new Float32Array(from.length);
      for (let line = 0; line < lines; line++)
        for (let c = 0; c < 3; c++) {
          const start = line * across + c;
          const value = (i) => from[start + Math.max(0, Math.min(count - 1, i)) * along];
          let sum = 0;
          for (let i = -radius; i <= radius; i++) sum += value(i);
          for (let i = 0; i < count; i++) {
            to[start + i * along] = sum / (2 * radius + 1);
            sum += value(i + radius + 1) - value(i - radius);
          }
        }
      from = to;
    }
  }
  return { ...tile, data: Uint8Array.from(from, Math.round) };
}

// Ruifrok & Johnston 2001, unit length: haematoxylin, eosin, DAB.
const unit = (v) => v.map((x) => x / Math.hypot(...v));
const [H, E, DAB] = [unit([0.65, 0.7, 0.29]), unit([0.07, 0.99, 0.11]), unit([0.27, 0.57, 0.78])];

/** The eosin is DAB: an immunohistochemical slide among H&E ones. */
export function foreignStain(tile) {
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const he = dot(H, E);
  return change(tile, (data, i) => {
    const d = [0, 1, 2].map((c) => density(tile.data[i + c]));
    const [dh, de] = [dot(d, H), dot(d, E)];
    const h = Math.max(0, (dh - he * de) / (1 - he * he));
    const e = Math.max(0, (de - he * dh) / (1 - he * he));
    for (let c = 0; c < 3; c++) data[i + c] = grey(h * H[c] + e * DAB[c]);
  });
}

/** Each by name. */
export const ARTEFACTS = { fold, pen, blur, 'foreign stain': foreignStain };
