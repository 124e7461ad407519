/** What doctor says of whole slides. */
import { ERRORS } from '../errors.js';
import { openSlideFormats } from '../slides/openslide-backend.js';
import type { DoctorCheck } from './doctor.js';

/** As the addon found the library, or why not. */
export type OpenSlideFound = { path: string; version: string } | { missing: string };

const OURS = 'tiled TIFF, OME-TIFF and SVS (JPEG) need no library';

/** Undefined: no addon could be asked. */
export function checkOpenSlide(found: OpenSlideFound | undefined): DoctorCheck {
  const name = 'slides';
  if (found === undefined) {
    return {
      name,
      status: 'warn',
      detail: 'not examined: no addon loads',
      remedy: 'See the line of the addon.',
    };
  }
  if ('missing' in found) {
    const detail = `${OURS}; no OpenSlide for others: ${found.missing}`;
    return { name, status: 'warn', detail, remedy: ERRORS.STAINFOLD_OPENSLIDE_MISSING };
  }
  const { version, path } = found;
  return {
    name,
    status: 'ok',
    detail: `${OURS}; OpenSlide ${version} (${path}) reads ${openSlideFormats(version)}`,
  };
}
