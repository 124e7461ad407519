/** The native contract of the source audit. */
export interface NativeAudit {
  /** pixels [count,size,size,3] -> [count,19]: see native/include/stainfold/audit.h. */
  auditTiles(pixels: Uint8Array, count: number, size: number): Promise<Float32Array>;
}
