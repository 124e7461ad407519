/**
 * MIDOG 2021, 2022 and MIDOG++ (Aubreville et al., Medical Image Analysis 2023; Scientific Data 2023): regions NNN.tiff and one JSON
 * file of boxes around mitotic figures and look-alikes. Which scanner and laboratory a region is from follows from its number.
 */
import { z } from 'zod';
import { StainfoldError } from '../../errors.js';

/** One patch to cut. */
export interface MidogPatch {
  /** Of the region: `001.tiff`. */
  image: string;
  /** Centre, pixels. */
  x: number;
  y: number;
  /** Name of the patch: region and annotation. */
  name: string;
  labels: Record<string, string>;
}

export const MIDOG_COLUMNS = ['site', 'scanner', 'lab', 'tumor', 'species', 'slide', 'label'] as const;

interface Domain {
  /** First and last number, in MIDOG++. */
  from: number;
  to: number;
  scanner: string;
  lab: string;
  tumor: string;
  species: 'human' | 'canine';
}

const domain = (
  [from, to]: [number, number],
  scanner: string,
  lab: string,
  tumor: string,
  species: Domain['species'],
): Domain => ({ from, to, scanner, lab, tumor, species });

/** datasets_xvalidation.csv of DeepMicroscopy/MIDOGpp; 151 to 200 (no annotations) from MIDOG 2021's download page. */
const DOMAINS: readonly Domain[] = [
  domain([1, 50], 'Hamamatsu XR', 'UMC Utrecht', 'breast carcinoma', 'human'),
  domain([51, 100], 'Hamamatsu S360', 'UMC Utrecht', 'breast carcinoma', 'human'),
  domain([101, 150], 'Aperio CS2', 'UMC Utrecht', 'breast carcinoma', 'human'),
  domain([151, 200], 'Leica GT450', 'UMC Utrecht', 'breast carcinoma', 'human'),
  domain([201, 244], '3DHistech', 'VMU Vienna', 'lung carcinoma', 'canine'),
  domain([245, 299], '3DHistech', 'VMU Vienna', 'lymphoma', 'canine'),
  domain([300, 349], 'Aperio CS2', 'FU Berlin', 'cutaneous mast cell tumor', 'canine'),
  domain([350, 404], 'Hamamatsu XR', 'UMC Utrecht', 'neuroendocrine tumor', 'human'),
  domain([405, 489], '3DHistech', 'AMC New York', 'soft tissue sarcoma', 'canine'),
  domain([490, 504], '3DHistech', 'VMU Vienna', 'soft tissue sarcoma', 'canine'),
  domain([505, 553], 'Hamamatsu XR', 'UMC Utrecht', 'melanoma', 'human'),
];

const schema = z.object({
  info: z.object({ description: z.string().default('') }).default({ description: '' }),
  images: z.array(z.object({ id: z.number(), file_name: z.string() })),
  categories: z.array(z.object({ id: z.number(), name: z.string() })),
  annotations: z.array(
    z.object({
      id: z.number(),
      image_id: z.number(),
      category_id: z.number(),
      bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
    }),
  ),
});

/** Throws STAINFOLD_MANIFEST where the JSON is not MIDOG's. */
export function readMidog(path: string, text: string): MidogPatch[] {
  const fail = (detail: string, cause?: unknown): StainfoldError =>
    new StainfoldError('STAINFOLD_MANIFEST', `${path}: ${detail}`, {
      hint: 'Give MIDOG.json, MIDOG2022_training.json or MIDOG++.json as published.',
      cause,
    });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw fail('it is not JSON', cause);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw fail(`${issue?.path.join('.')} is not as in MIDOG's files (${issue?.message})`);
  }
  const { info, images, categories, annotations } = parsed.data;
  const is2022 = /2022/.test(info.description) || /2022/.test(path.split(/[\\/]/).at(-1) ?? '');
  const files = new Map(images.map(({ id, file_name }) => [id, file_name]));
  const names = new Map(categories.map(({ id, name }) => [id, name]));
  return annotations.map(({ id, image_id, category_id, bbox }) => {
    const image = files.get(image_id);
    if (image === undefined) throw fail(`annotation ${id} is of an image ${image_id} that is not listed`);
    const found = domainOf(Number.parseInt(image, 10), is2022);
    // Corners, not corner and size as in COCO: x0, y0, x1, y1.
    const [x0, y0, x1, y1] = bbox;
    const stem = image.replace(/\.\w+$/, '');
    return {
      image,
      x: (x0 + x1) / 2,
      y: (y0 + y1) / 2,
      name: `${stem}_${id}`,
      labels: {
        site: found?.scanner ?? '',
        scanner: found?.scanner ?? '',
        lab: found?.lab ?? '',
        tumor: found?.tumor ?? '',
        species: found?.species ?? '',
        slide: stem,
        label: /^mitotic/i.test(names.get(category_id) ?? '') ? 'mitotic figure' : 'look-alike',
      },
    };
  });
}

/** MIDOG 2022 has no numbers for Leica's regions: from 151 on it counts 50 less than MIDOG++. */
function domainOf(number: number, is2022: boolean): Domain | undefined {
  const at = is2022 && number > 150 ? number + 50 : number;
  return DOMAINS.find(({ from, to }) => at >= from && at <= to);
}
