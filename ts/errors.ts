/**
 * The one table of errors: every error that leaves stainfold has a code from here, a message that states the fact and the
 * value got, and a remedy. docs/errors.md is checked against it by test/api/errors.test.js.
 */
export const ERRORS = {
  // --- raised by the native core (native/include/stainfold/error.h) and by TypeScript alike
  STAINFOLD_SHAPE: 'Give tiles of one size, RGB, with sides that are multiples of 32.',
  STAINFOLD_DTYPE: 'Give 8-bit RGB pixels (Uint8Array); convert 16-bit or float images first.',
  STAINFOLD_OPTION: 'Correct the named option; docs/api lists each one with its range and default.',
  STAINFOLD_DEVICE: "Use device 'cpu', or run 'npx stainfold doctor' to see what CUDA lacks.",
  STAINFOLD_STATE: 'Check the order of calls: the object cannot do this now.',
  STAINFOLD_WEIGHTS:
    "Load a file written by this version of stainfold; 'npx stainfold inspect FILE' shows what it holds.",
  STAINFOLD_NON_FINITE: 'Lower the learning rate or set precision to fp32; the last checkpoint is intact.',
  STAINFOLD_COLLAPSE:
    'Lower the learning rate, or raise the weight of compaction or reconstruction; the last checkpoint is from before it.',
  STAINFOLD_MEMORY: 'Lower batchSize or tileSize, or choose a smaller model.',
  STAINFOLD_INTERNAL:
    'This is a defect or an unsupported environment: please report it with the output of `npx stainfold doctor --json`.',
  // --- options
  STAINFOLD_OPTION_UNKNOWN: 'Remove or rename the option; docs/api lists the ones there are.',
  // --- LibTorch and the addon
  STAINFOLD_LIBTORCH_MISSING: "Run 'npx stainfold libtorch install', or set LIBTORCH to a LibTorch folder.",
  STAINFOLD_LIBTORCH_VERSION: "Use LibTorch 2.11 to 2.14: 'npx stainfold libtorch install' gets one.",
  STAINFOLD_LIBTORCH_MISMATCH:
    "Rebuild the addon for this LibTorch ('npm run build:native'), or point LIBTORCH to the one it was built for.",
  STAINFOLD_LIBTORCH_LOAD: "Run 'npx stainfold libtorch verify'; reinstall if it reports damage.",
  STAINFOLD_LIBTORCH_INSTALL:
    'Try again (finished downloads are kept), or give a file or folder with --from.',
  STAINFOLD_LIBTORCH_DIGEST:
    'Delete the file and try again; if it persists, a proxy or mirror alters downloads.',
  STAINFOLD_PLATFORM: 'Use a system that docs/install.md lists, or build stainfold on this one.',
  STAINFOLD_ADDON_MISSING: "Run 'npx stainfold setup'; in a clone, 'npm run build:native'.",
  STAINFOLD_ADDON_VERSION: "Run 'npx stainfold setup'; in a clone, 'npm run build:native'.",
  STAINFOLD_ADDON_LOAD:
    "Run 'npx stainfold doctor'; reinstall the platform package, or in a clone 'npm run build:native'.",
  STAINFOLD_SHARP:
    "Install it again, with the package of this platform: 'npm install --include=optional sharp'.",
  // --- files
  STAINFOLD_FILE_NOT_FOUND: 'Check the path.',
  STAINFOLD_FILE_READ: 'Check that the path is a readable file.',
  STAINFOLD_FILE_WRITE: 'Check permissions and free disk space; nothing that was complete has been lost.',
  STAINFOLD_LOCKED: 'Wait for the other process, or choose another folder.',
  STAINFOLD_OUTPUT_EXISTS: 'Pass resume (--resume) to continue that run, or choose another output folder.',
  STAINFOLD_MANIFEST: "Give a CSV with a header line and a 'file' column; paths are relative to the CSV.",
  STAINFOLD_TILES_EMPTY:
    'Give a folder or manifest that holds jpg, png, tif, webp or bmp tiles, and check --where.',
  STAINFOLD_TILE_UNREADABLE:
    'Repair or remove the file; without strict, unreadable files are skipped and listed.',
  STAINFOLD_PACK: "The file is damaged, or no pack: make it again with 'npx stainfold pack TILES -o FILE'.",
  STAINFOLD_SAFETENSORS: 'The file is damaged or not safetensors: write or copy it again.',
  STAINFOLD_CHECKPOINT: 'Give a checkpoint or model written by stainfold train.',
  STAINFOLD_CHECKPOINT_MISMATCH:
    'Resume with the options and tiles of the run that wrote the checkpoint, or start a new run.',
  // --- whole slides
  STAINFOLD_OPENSLIDE_MISSING:
    "Install OpenSlide: 'apt-get install libopenslide0', or OpenSlide 4 from openslide.org; STAINFOLD_OPENSLIDE names a library elsewhere.",
  STAINFOLD_SLIDE_FORMAT:
    'Convert it to a tiled pyramidal TIFF, 8-bit RGB; docs/slides.md lists the formats and what reads them.',
  STAINFOLD_SLIDE_READ: 'Copy or scan the slide again: the file is damaged or cut off.',
  STAINFOLD_SLIDE_MPP:
    'Give the option mpp (--mpp), or mppFile (--mpp-file): a CSV with the columns slide and mpp.',
  STAINFOLD_SLIDE_EMPTY:
    'Lower minTissue (--min-tissue), or give regions (--regions): a GeoJSON of where tissue is.',
  STAINFOLD_SLIDE_REGIONS:
    'Give GeoJSON as QuPath exports it: Polygon or MultiPolygon, alone or in features, in level-0 pixels.',
  // --- use
  STAINFOLD_EVALUATE: 'Name label columns that hold at least two values, and a source batch that exists.',
  STAINFOLD_EMBEDDINGS:
    'Give one row for each row of the manifest, in its order, or name the tiles; docs/api lists the formats.',
  STAINFOLD_STAIN: 'Give tiles with stained tissue, or a file that StainNormalizer.save wrote.',
  STAINFOLD_DISPOSED: 'Load or create it again: it was disposed.',
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof ERRORS;

/** What a file said of itself may be quoted in a message, and may be megabytes. */
const MOST_DETAIL = 2000;

/** The one error class of stainfold. `message` states fact and remedy; `code` is stable across versions. */
export class StainfoldError extends Error {
  override readonly name = 'StainfoldError';
  readonly code: ErrorCode;
  /** What to do about it. */
  readonly hint: string;

  constructor(code: ErrorCode, detail: string, options: { hint?: string; cause?: unknown } = {}) {
    const hint = options.hint ?? ERRORS[code];
    const told = detail.length > MOST_DETAIL ? `${detail.slice(0, MOST_DETAIL)}…` : detail;
    super(
      `${told.replace(/[.\s]+$/, '')}. ${hint}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.hint = hint;
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERRORS, value);
}
