// Each adapter on a miniature of its data set's layout.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { adaptCamelyon16, parseReference } from '../../lib/data/adapters/camelyon16.js';
import { readMidog } from '../../lib/data/adapters/midog.js';
import { adaptTcga } from '../../lib/data/adapters/tcga.js';
import { createManifest, listTiles } from '../../lib/index.js';
import { png, temporaryFolder } from './tiles.js';

async function put(folder, files) {
  for (const [i, file] of files.entries()) {
    const path = join(folder, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, typeof file === 'string' ? await png(32, i) : file);
  }
}

test('tcga: slides as folders and in names, one patient for both, what is foreign is named', async (t) => {
  const root = await temporaryFolder(t);
  const folder = join(root, 'tiles');
  await put(folder, [
    'TCGA-A2-A0CQ-01Z-00-DX1.4E5FB4E5-A08C-4C87-A3BE-0640A95AE649/0_512.png',
    'TCGA-A2-A0CQ-01Z-00-DX1.4E5FB4E5-A08C-4C87-A3BE-0640A95AE649/512_512.png',
    'E9/TCGA-E9-A248-11A-01-TS1_x0_y0.png',
    'thumbnail.png',
  ]);
  const out = join(root, 'tcga.csv');
  await writeFile(join(root, 'clinical.csv'), 'patient,subtype\nTCGA-A2-A0CQ,LumA\n');
  const made = await createManifest({ layout: 'tcga', folder, out, labels: join(root, 'clinical.csv') });
  t.deepEqual(made.sites, { A2: 2, E9: 1 });
  t.deepEqual(
    made.skipped.map(({ file }) => file),
    ['thumbnail.png'],
  );
  const { columns, tiles } = await listTiles({ tiles: out });
  t.deepEqual(columns, ['site', 'patient', 'slide', 'tissue', 'subtype']);
  const normal = tiles.find(({ labels }) => labels.site === 'E9');
  t.deepEqual(normal.labels, {
    site: 'E9',
    patient: 'TCGA-E9-A248',
    slide: 'TCGA-E9-A248-11A-01-TS1',
    tissue: 'normal',
    subtype: '',
  });
  t.deepEqual(
    tiles.filter(({ labels }) => labels.subtype === 'LumA').map(({ labels }) => labels.slide),
    ['TCGA-A2-A0CQ-01Z-00-DX1', 'TCGA-A2-A0CQ-01Z-00-DX1'],
  );
});

test('tcga: barcodes of any length, and none that only looks like one', (t) => {
  const { tiles, skipped } = adaptTcga(['TCGA-OL-A66P/1.png', 'TCGA-OL-A66PXX/1.png', 'tcga-ol-a66p/1.png']);
  t.deepEqual(
    tiles.map(({ labels }) => labels),
    [{ site: 'OL', patient: 'TCGA-OL-A66P', slide: 'TCGA-OL-A66P', tissue: '' }],
  );
  t.is(skipped.length, 2);
});

test('camelyon16: centres by number, tile labels from folders and names', async (t) => {
  const root = await temporaryFolder(t);
  const folder = join(root, 'tiles');
  await put(folder, [
    'training/normal/normal_100/0_0.png',
    'training/normal/normal_101/0_0.png',
    'training/tumor/tumor_070/tumor/1_0.png',
    'training/tumor/tumor_070/normal/2_0.png',
    'training/tumor/tumor_071/3_0_tumor.png',
    'training/tumor/tumor_071/4_0.png',
    'training/tumor/Tumor_111/tumor/5_0.png',
    'testing/images/test_001/0_0.png',
    'testing/images/test_002/0_0.png',
  ]);
  await writeFile(
    join(folder, 'testing/reference.csv'),
    'test_001,Tumor,IDC,Macro\ntest_002,Normal,None,None\n',
  );
  await writeFile(join(root, 'centres.csv'), 'slide,site\ntest_002,Utrecht\n');
  const out = join(root, 'camelyon16.csv');
  const made = await createManifest({
    layout: 'camelyon16',
    folder,
    out,
    labels: join(root, 'centres.csv'),
  });
  t.deepEqual(made.sites, { Utrecht: 4, Radboud: 4 });
  t.deepEqual(made.skipped, [
    {
      file: 'testing/images/test_001/0_0.png',
      reason: 'its site is unknown: give it in a labels file',
    },
  ]);
  const { tiles } = await listTiles({ tiles: out });
  const rows = tiles.map(({ labels: { site, slide, split, label } }) => `${slide} ${site} ${split} ${label}`);
  t.deepEqual(rows.sort(), [
    'normal_100 Radboud training normal',
    'normal_101 Utrecht training normal',
    'test_002 Utrecht testing normal',
    'tumor_070 Radboud training normal',
    'tumor_070 Radboud training tumor',
    'tumor_071 Utrecht training ',
    'tumor_071 Utrecht training tumor',
    'tumor_111 Radboud training tumor',
  ]);
});

test('camelyon16: the folders of the training set are no slide names', (t) => {
  const { tiles, skipped } = adaptCamelyon16(['training/tumor/1_0.png', 'tumor_012_5_6.png']);
  t.deepEqual(
    skipped.map(({ file }) => file),
    ['training/tumor/1_0.png'],
  );
  t.is(tiles[0].labels.slide, 'tumor_012');
  t.is(tiles[0].labels.label, '', 'a tumour slide holds normal tissue, too');
});

test('camelyon16: the reference, with quotes and extensions', (t) => {
  const found = parseReference('"test_001.tif","Tumor"\r\ntest_2,normal,x\nname,type\n');
  t.deepEqual(
    [...found],
    [
      ['test_001', 'tumor'],
      ['test_002', 'normal'],
    ],
  );
});

const MIDOG = {
  info: { description: 'MIDOG++: A Comprehensive Multi-Domain Data Set for Mitotic Figures' },
  images: [
    { id: 1, file_name: '001.tiff', width: 160, height: 120 },
    { id: 201, file_name: '201.tiff', width: 160, height: 120 },
    { id: 300, file_name: '300.tiff', width: 160, height: 120 },
  ],
  categories: [
    { id: 1, name: 'mitotic figure' },
    { id: 2, name: 'not mitotic figure' },
  ],
  annotations: [
    { id: 1, image_id: 1, category_id: 1, bbox: [55, 35, 105, 85], labels: [1, 1] },
    { id: 2, image_id: 1, category_id: 2, bbox: [-10, -20, 40, 30], labels: [2, 2] },
    { id: 3, image_id: 201, category_id: 1, bbox: [125, 85, 175, 135], labels: [1, 1] },
    { id: 4, image_id: 300, category_id: 1, bbox: [55, 35, 105, 85], labels: [1, 1] },
  ],
};

/** Each pixel tells where it is: red its column, green its row, blue the image. */
async function region(path, width, height, blue) {
  const data = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set([x, y, blue], 3 * (y * width + x));
  }
  await sharp(data, { raw: { width, height, channels: 3 } })
    .tiff({ compression: 'lzw' })
    .toFile(path);
}

test('midog: patches about the annotations, moved inside at the edges', async (t) => {
  const root = await temporaryFolder(t);
  const folder = join(root, 'MIDOGpp');
  await mkdir(join(folder, 'databases'), { recursive: true });
  await mkdir(join(folder, 'images'));
  await writeFile(join(folder, 'databases/MIDOG++.json'), JSON.stringify(MIDOG));
  await region(join(folder, 'images/001.tiff'), 160, 120, 1);
  await region(join(folder, 'images/201.tiff'), 160, 120, 201);
  const out = join(root, 'manifest.csv');
  const steps = [];
  const made = await createManifest({
    layout: 'midog',
    folder,
    out,
    tileSize: 32,
    onProgress: (done, total) => steps.push([done, total]),
  });
  t.deepEqual(made.sites, { 'Hamamatsu XR': 2, '3DHistech': 1 });
  t.deepEqual(made.skipped, [{ file: '300.tiff', reason: 'there is no such image' }]);
  t.deepEqual(steps, [
    [1, 3],
    [2, 3],
    [3, 3],
  ]);
  const { tiles } = await listTiles({ tiles: out });
  const corner = async (name) => {
    const { path } = tiles.find(({ file }) => file.endsWith(name));
    const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
    return [info.width, info.height, ...data.subarray(0, 3)];
  };
  // The first centre is (80, 60): its patch of 32 begins at (64, 44).
  t.deepEqual(await corner('001_1.png'), [32, 32, 64, 44, 1]);
  t.deepEqual(await corner('001_2.png'), [32, 32, 0, 0, 1]);
  t.deepEqual(await corner('201_3.png'), [32, 32, 128, 88, 201]);
  t.deepEqual(tiles.find(({ file }) => file.endsWith('001_2.png')).labels, {
    site: 'Hamamatsu XR',
    scanner: 'Hamamatsu XR',
    lab: 'UMC Utrecht',
    tumor: 'breast carcinoma',
    species: 'human',
    slide: '001',
    label: 'look-alike',
  });
});

test('midog: 2022 counts 50 less than MIDOG++ from 151 on', (t) => {
  const of = (description, number) => {
    const { labels } = readMidog(
      'x.json',
      JSON.stringify({
        ...MIDOG,
        info: { description },
        images: [{ id: 1, file_name: `${number}.tiff` }],
        annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: [0, 0, 50, 50] }],
      }),
    )[0];
    return `${labels.tumor}, ${labels.scanner}`;
  };
  t.is(of('MIDOG++', '250'), 'lymphoma, 3DHistech');
  t.is(of('MIDOG 2022 training set', '250'), 'cutaneous mast cell tumor, Aperio CS2');
  t.is(of('MIDOG 2021', '51'), 'breast carcinoma, Hamamatsu S360');
  t.is(of('MIDOG++', '999'), ', ');
});

test('midog: what is not its JSON is refused, by what is wrong', async (t) => {
  const root = await temporaryFolder(t);
  const out = join(root, 'manifest.csv');
  const make = () => createManifest({ layout: 'midog', folder: root, out });
  await t.throwsAsync(make(), { code: 'STAINFOLD_FILE_NOT_FOUND', message: /MIDOG\*\.json/ });
  await writeFile(join(root, 'MIDOG.json'), '{"images": 1}');
  await t.throwsAsync(make(), { code: 'STAINFOLD_MANIFEST', message: /images is not as in MIDOG/ });
  await writeFile(join(root, 'MIDOG.json'), '{');
  await t.throwsAsync(make(), { code: 'STAINFOLD_MANIFEST', message: /not JSON/ });
});

test('a folder of another layout, labels without a key, an output that is no CSV', async (t) => {
  const folder = await temporaryFolder(t);
  await put(folder, ['normal_001/0_0.png']);
  const out = join(folder, 'out.csv');
  await t.throwsAsync(createManifest({ layout: 'tcga', folder, out }), {
    code: 'STAINFOLD_TILES_EMPTY',
    message: /nothing of the layout 'tcga'.*barcode/s,
  });
  await writeFile(join(folder, 'labels.csv'), 'name,site\nx,y\n');
  await t.throwsAsync(
    createManifest({ layout: 'camelyon16', folder, out, labels: join(folder, 'labels.csv') }),
    { code: 'STAINFOLD_MANIFEST', message: /no slide or patient column/ },
  );
  await t.throwsAsync(createManifest({ layout: 'camelyon16', folder, out: 'x.txt' }), {
    code: 'STAINFOLD_OPTION',
    message: /ends in \.csv/,
  });
  const { manifest } = await createManifest({ layout: 'camelyon16', folder, out });
  t.regex(
    await readFile(manifest, 'utf8'),
    /^file,site,slide,split,slide_label,label\nnormal_001\/0_0\.png,Radboud,/,
  );
});
