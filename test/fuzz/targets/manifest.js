// Everything that is CSV: manifests, pixel sizes, and the lists that data sets bring.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createManifest } from '../../../lib/api/create-manifest.js';
import { parseReference } from '../../../lib/data/adapters/camelyon16.js';
import { readMidog } from '../../../lib/data/adapters/midog.js';
import { readManifest } from '../../../lib/data/manifest.js';
import { openTileSet } from '../../../lib/data/tile-set.js';
import { mppFromFile } from '../../../lib/slides/mpp-file.js';
import { allOf } from '../outcomes.js';
import { hold } from '../verdict.js';

export default {
  extension: '.csv',
  words: [
    'file',
    'slide',
    'mpp',
    'patient',
    ',',
    '""',
    '"',
    '\r\n',
    '\ufeff',
    '__proto__',
    'constructor',
    '.',
    '/dev/null',
    '\0',
    'a.png',
  ],
  run: (path, bytes) =>
    allOf(
      async () => {
        const { columns, rows } = await readManifest(path);
        hold(!columns.includes('file'), 'file is no label');
        for (const { file, labels, line } of rows) {
          hold(file !== '' && line >= 1, 'a row without a file');
          const named = columns.every(
            (name) => Object.hasOwn(labels, name) && typeof labels[name] === 'string',
          );
          hold(named && Object.keys(labels).length === columns.length, 'labels are missing');
        }
      },
      () => openTileSet({ tiles: path, where: { site: 'A' } }),
      async () => {
        const mpp = await mppFromFile(path, 'a.svs');
        hold(mpp === undefined || (mpp >= 0.01 && mpp <= 100), `${mpp} micrometres`);
      },
      () => joined(path),
      () => parseReference(bytes.toString()),
      () => readMidog(path, bytes.toString()),
    ),
};

/** The CSV as the labels of a folder of tiles. */
async function joined(path) {
  const folder = join(dirname(path), 'tcga');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'TCGA-A2-A0CQ-01Z-00-DX1.png'), '');
  await createManifest({
    layout: 'tcga',
    folder,
    out: join(dirname(path), 'manifest-out.csv'),
    labels: path,
  });
}
