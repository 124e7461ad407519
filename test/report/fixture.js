// A made-up evaluation with every field filled: five labs, three labels, three representations, from a seeded generator.

export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** `better`: how much the trained encoder gains on the untrained one; negative makes it lose. */
export function makeEvaluation({
  seed = 1,
  better = 0.2,
  tilesPerBatch = 40,
  labelled = true,
  paired = false,
} = {}) {
  const draw = random(seed);
  const batches = ['lab-0', 'lab-1', 'lab-2', 'lab-3', 'lab-4'];
  const labels = ['gland', 'stroma', 'tumour'];
  const tiles = batches.flatMap((batch) =>
    Array.from({ length: tilesPerBatch }, (_, i) => ({
      file: `${batch}/${String(i).padStart(4, '0')}.png`,
      batch,
      label: labelled ? labels[i % 3] : null,
    })),
  );
  const around = (value) => [value - 0.05, value + 0.04];
  const score = (balancedAccuracy) => {
    const values = {
      balancedAccuracy,
      macroF1: balancedAccuracy - 0.02,
      auroc: Math.min(1, balancedAccuracy + 0.1),
    };
    const intervals = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, around(value)]),
    );
    return { tiles: tilesPerBatch, clusters: 8, ...values, intervals };
  };
  const jitter = () => (draw() - 0.5) * 0.01;
  const row = (name, dimensions, apart, accuracy) => ({
    name,
    dimensions,
    silhouette: { euclidean: apart / 2 + jitter(), cosine: apart / 2.2 + jitter() },
    batchKnn: 0.2 + 0.75 * apart + jitter(),
    batchKnnChance: 0.2,
    lisi: 5 - 4 * apart + jitter(),
    kbet: 0.05 + 0.9 * apart + jitter(),
    permanova: { r2: apart / 3 + jitter(), f: 10, p: 0.005, permutations: 199, unit: 'tile' },
    w2: 2 * apart + jitter(),
    ari: {
      batch: { value: apart / 2, interval: around(apart / 2) },
      label: labelled ? { value: accuracy / 2, interval: around(accuracy / 2) } : null,
    },
    ...(paired && {
      retrieval: {
        queries: 800,
        top1: 1 - apart,
        top5: 1 - apart / 2,
        chance: 0.025,
        unseen: null,
        between: [],
      },
    }),
    ...(labelled && {
      probe: { penalty: 100, ...probed(accuracy) },
      ridgeProbe: { penalty: 10, ...probed(accuracy - 0.01) },
      knnProbe: probed(accuracy - 0.02),
    }),
  });
  const probed = (accuracy) => ({
    source: 'lab-0',
    withinSource: score(0.95 + jitter()),
    unseen: Object.fromEntries(
      batches.slice(1).map((batch, i) => [batch, score(accuracy - 0.02 * i + jitter())]),
    ),
    unseenMean: score(accuracy - 0.03 + jitter()),
  });
  const cloud = (apart) => {
    const points = new Float64Array(2 * tiles.length);
    tiles.forEach((tile, i) => {
      const batch = batches.indexOf(tile.batch);
      const label = labels.indexOf(tile.label ?? 'stroma');
      const normal = () => draw() + draw() + draw() - 1.5;
      points[2 * i] = 4 * apart * Math.cos(batch * 1.26) + 3 * (1 - apart) * Math.cos(label * 2.1) + normal();
      points[2 * i + 1] =
        4 * apart * Math.sin(batch * 1.26) + 3 * (1 - apart) * Math.sin(label * 2.1) + normal();
    });
    return points;
  };
  const count = (key) => {
    const counts = {};
    for (const tile of tiles) if (tile[key] !== null) counts[tile[key]] = (counts[tile[key]] ?? 0) + 1;
    return counts;
  };
  return {
    batchColumn: 'lab',
    labelColumn: labelled ? 'tissue' : null,
    batches: count('batch'),
    labels: count('label'),
    source: 'lab-0',
    bootstrap: { resamples: 1000, unit: 'slide' },
    rows: [
      row('colour statistics', 30, 0.9, 0.5),
      row('untrained encoder', 128, 0.6, 0.6),
      row('trained encoder', 128, 0.6 - better, 0.6 + better),
    ],
    scatter: {
      'colour statistics': cloud(0.9),
      'untrained encoder': cloud(0.6),
      'trained encoder': cloud(0.05),
    },
    tiles,
    unreadable: [],
  };
}

export function makeModel() {
  return {
    format: 'stainfold',
    formatVersion: 1,
    kind: 'model',
    size: 'tiny',
    latent: 128,
    tileSize: 128,
    parameters: 1_013_000,
    provenance: {
      stainfold: '0.1.0',
      libtorch: '2.13.0',
      seed: 1,
      dataDigest: 'a'.repeat(64),
      tiles: 240,
      where: { lab: 'lab-0' },
      steps: 300,
      device: 'cpu',
      precision: 'fp32',
    },
    options: { epochs: 30, learningRate: 0.001, manifold: { labs: 16 } },
  };
}

export function makeTraining(steps = 300) {
  const draw = random(7);
  return Array.from({ length: steps }, (_, i) => {
    const fall = Math.exp(-i / 80);
    return {
      step: i + 1,
      steps,
      epoch: 1 + Math.floor(i / 10),
      epochs: steps / 10,
      learningRate: 1e-3,
      loss: 1 + 3 * fall + 0.2 * draw(),
      compaction: 1 + 2 * fall,
      scatter: 0.05 + 0.6 * fall + 0.02 * draw(),
      reconstruction: 0.05 + 0.3 * fall + 0.01 * draw(),
      adversarial: 2.7,
      discriminatorAccuracy: 0.1 + 0.3 * fall + 0.05 * draw(),
      discriminatorChance: 1 / 16,
      gradientNorm: 1,
      rank: 40,
      tilesPerSecond: 60,
    };
  });
}
