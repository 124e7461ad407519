/** Parquet: a row a tile, columns x, y and features (a list), a row group at a time. */
import type { SchemaElement } from 'hyparquet';
import type { FeaturePrecision } from '../types.js';
import type { FeatureSource } from './source.js';

/** Rows converted between two turns of the event loop. */
const ROW_GROUP = 512;

/** The file's bytes in order. */
export async function* parquetFeatures(
  source: FeatureSource,
  precision: FeaturePrecision,
  attributes: Record<string, string | number>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const integer = (name: string): SchemaElement => ({ name, type: 'INT32', repetition_type: 'REQUIRED' });
  const { writer, written } = await begin([integer('x'), integer('y'), ...listOf(precision)], attributes);
  const group = { x: [] as number[], y: [] as number[], features: [] as number[][] };
  const { columns } = source;
  const flush = (): Uint8Array => {
    const columnData = Object.entries(group).map(([name, data]) => ({ name, data, offsetIndex: false }));
    writer.write({ columnData, rowGroupSize: ROW_GROUP });
    for (const list of Object.values(group)) list.length = 0;
    return written();
  };
  const coords = rowsOf(source.coords(), 2);
  for await (const row of rowsOf(source.features(), columns)) {
    const place = (await coords.next()).value as Int32Array;
    group.x.push(place[0] as number);
    group.y.push(place[1] as number);
    group.features.push(Array.from(row));
    if (group.x.length === ROW_GROUP) yield flush();
  }
  if (group.x.length > 0) yield flush();
  writer.finish();
  yield written();
}

async function* rowsOf<Values extends Float32Array | Int32Array>(
  pieces: AsyncIterable<Values>,
  columns: number,
): AsyncGenerator<Values, undefined, undefined> {
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; at += columns) yield piece.subarray(at, at + columns) as Values;
  }
  return undefined;
}

/** Vectors of slides: a row a slide, columns name, tiles and features. They are few. */
export async function parquetVectors(
  rows: readonly { name: string; tiles: number; vector: Float32Array }[],
  attributes: Record<string, string>,
): Promise<Uint8Array> {
  const columns: SchemaElement[] = [
    { name: 'name', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
    { name: 'tiles', type: 'INT32', repetition_type: 'REQUIRED' },
    ...listOf('fp32'),
  ];
  const { writer, written } = await begin(columns, attributes);
  writer.write({
    columnData: [
      { name: 'name', data: rows.map(({ name }) => name), offsetIndex: false },
      { name: 'tiles', data: rows.map(({ tiles }) => tiles), offsetIndex: false },
      { name: 'features', data: rows.map(({ vector }) => Array.from(vector)), offsetIndex: false },
    ],
  });
  writer.finish();
  return written();
}

/** `written` takes what was written since it was last called. */
async function begin(columns: SchemaElement[], attributes: Record<string, string | number>) {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer');
  const bytes = new ByteWriter();
  const fields = columns.filter(({ name }) => name !== 'list' && name !== 'element').length;
  const writer = new ParquetWriter({
    writer: bytes,
    schema: [{ name: 'root', num_children: fields }, ...columns],
    codec: 'UNCOMPRESSED', // features are noise to a compressor
    statistics: false,
    kvMetadata: Object.entries(attributes).map(([key, value]) => ({ key, value: String(value) })),
    createdBy: 'stainfold',
  });
  const written = (): Uint8Array => {
    const piece = bytes.getBytes().slice();
    bytes.index = 0; // as the library's own file writer does; `offset` goes on counting
    return piece;
  };
  return { writer, written };
}

function listOf(precision: FeaturePrecision): SchemaElement[] {
  const value: SchemaElement =
    precision === 'fp16'
      ? { name: 'element', type: 'FIXED_LEN_BYTE_ARRAY', type_length: 2, logical_type: { type: 'FLOAT16' } }
      : { name: 'element', type: 'FLOAT' };
  return [
    { name: 'features', repetition_type: 'REQUIRED', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { ...value, repetition_type: 'REQUIRED' },
  ];
}
