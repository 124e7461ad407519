import type { JpegDecoder } from '../files/jpeg-decoder.js';

export interface NativeDecode {
  /** Version of the libjpeg in use, `62`; empty where there is none, and then `jpeg` says no to everything. */
  library: string;
  jpeg: JpegDecoder;
}
