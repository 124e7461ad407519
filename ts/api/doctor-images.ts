/** What doctor says of the libraries that decode images. */
import { DECODE_CONCURRENCY } from '../data/decode.js';
import { ERRORS, StainfoldError } from '../errors.js';
import { loadSharp } from '../files/sharp.js';
import type { DoctorCheck } from './doctor.js';

export function checkSharp(): DoctorCheck {
  const name = 'sharp';
  try {
    const { format, versions } = loadSharp();
    const wanted = ['jpeg', 'png', 'tiff', 'webp'] as const;
    const missing = wanted.filter((one) => !format[one]?.input.file);
    const reads = wanted.filter((one) => !missing.includes(one)).join(', ');
    const detail = `${versions.sharp}, libvips ${versions.vips}, reads ${reads}`;
    if (missing.length === 0) return { name, status: 'ok', detail };
    const remedy = "Use sharp's prebuilt libvips: 'npm install sharp'.";
    return { name, status: 'warn', detail: `${detail}; not ${missing.join(', ')}`, remedy };
  } catch (error) {
    const { message, hint } =
      error instanceof StainfoldError ? error : { message: String(error), hint: ERRORS.STAINFOLD_SHARP };
    return { name, status: 'fail', detail: message.replace(hint, '').replace(/[.\s]+$/, ''), remedy: hint };
  }
}

/** `library`: the libjpeg that the addon decodes with, empty for none; undefined: no addon could be asked. */
export function checkJpeg(library: string | undefined): DoctorCheck {
  const name = 'jpeg';
  if (library === undefined) {
    const remedy = 'See the line of the addon.';
    return { name, status: 'warn', detail: 'not examined: no addon loads', remedy };
  }
  if (library !== '') {
    const detail = `libjpeg ${library} decodes JPEG tiles, on ${DECODE_CONCURRENCY} threads of its own`;
    return { name, status: 'ok', detail };
  }
  const detail = 'sharp decodes JPEG tiles, which takes 4 times as long as libjpeg would';
  // The addon finds libjpeg by dlopen, which Windows does not have; macOS has no libjpeg of its own.
  if (process.platform !== 'linux') return { name, status: 'ok', detail };
  return { name, status: 'warn', detail, remedy: GET_LIBJPEG };
}

const GET_LIBJPEG =
  "Install libjpeg-turbo: 'apt-get install libjpeg62-turbo' (Debian), libjpeg-turbo8 (Ubuntu), libjpeg-turbo (Fedora). A build from source needs libjpeg-dev when it is made.";
