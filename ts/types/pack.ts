import type { TileSelection, UnreadableTile } from '../types.js';

export interface PackOptions extends TileSelection {
  /** File to write, whose name ends in `.pack`; a pack that is there is replaced. */
  out: string;
  /**
   * Side in pixels, 1 to 16384, that every tile is resized and cropped to, as an encoder of that tile size would. Default: each as
   * it is. Tiles of the encoder's size are read as they lie; others are resized each time.
   */
  tileSize?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

export interface PackResult {
  /** Absolute. */
  pack: string;
  tiles: number;
  /** Of the file. */
  bytes: number;
  /** Of the tiles' names, sizes and labels: that of the folder or manifest that was packed, where every tile could be read. */
  dataDigest: string;
  unreadable: UnreadableTile[];
}
