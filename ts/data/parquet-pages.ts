/**
 * The pages of a Parquet file, looked at before they are believed: a page says how many values it holds and how large it is once
 * unpacked, and hyparquet makes room for whatever it says.
 */
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';

/** Repeated values take next to no bytes: so many are allowed anyway, and so many for each byte of the file. */
const MOST_VALUES = 2 ** 22;
const MOST_VALUES_PER_BYTE = 512;
/** The same of unpacked bytes. */
const MOST_UNPACKED = 2 ** 24;
const MOST_UNPACKED_PER_BYTE = 1024;
/** Bytes of a page's header; statistics make it long. */
const HEADER_BYTES = 4096;
const LONGEST_HEADER = 2 ** 20;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Throws an Error that says what of the file cannot be. `columns`: those that will be read. */
export async function checkPages(
  file: AsyncBuffer,
  { num_rows, row_groups }: FileMetaData,
  columns: ReadonlySet<string>,
): Promise<void> {
  const left = {
    values: Math.max(MOST_VALUES, MOST_VALUES_PER_BYTE * file.byteLength),
    unpacked: Math.max(MOST_UNPACKED, MOST_UNPACKED_PER_BYTE * file.byteLength),
  };
  let rows = 0;
  for (const group of row_groups) {
    const groupRows = Number(group.num_rows);
    if (!isCount(groupRows)) throw new Error(`a row group has ${groupRows} rows`);
    rows += groupRows;
    for (const { meta_data: chunk } of group.columns) {
      const name = chunk?.path_in_schema[0];
      if (chunk === undefined || name === undefined || !columns.has(name)) continue;
      const [data, dictionary] = [Number(chunk.data_page_offset), Number(chunk.dictionary_page_offset ?? 0)];
      const start = dictionary > 0 && dictionary < data ? dictionary : data;
      const end = start + Number(chunk.total_compressed_size);
      if (!(isCount(start) && isCount(end) && start <= end && end <= file.byteLength))
        throw new Error(`column '${name}' would lie at bytes ${start} to ${end} of ${file.byteLength}`);
      await checkChunk(file, start, end, left);
    }
  }
  if (rows !== Number(num_rows)) throw new Error(`it has ${rows} rows in groups, and says ${num_rows}`);
}

/** Takes what the pages hold from what is `left`. */
async function checkChunk(
  file: AsyncBuffer,
  start: number,
  end: number,
  left: { values: number; unpacked: number },
): Promise<void> {
  for (let at = start; at < end - 1; ) {
    const { header, length } = await readHeader(file, at, end);
    const packed: unknown = header.compressed_page_size;
    const unpacked: unknown = header.uncompressed_page_size;
    const v2 = header.data_page_header_v2;
    const values: unknown = (header.data_page_header ?? header.dictionary_page_header ?? v2)?.num_values ?? 0;
    const levels = v2 && [v2.definition_levels_byte_length, v2.repetition_levels_byte_length, v2.num_rows];
    if (!isCount(packed) || !isCount(unpacked) || !isCount(values) || levels?.every(isCount) === false)
      throw new Error(`a page at byte ${at} has ${values} values in ${packed} bytes, unpacked ${unpacked}`);
    if (at + length + packed > end) throw new Error(`a page at byte ${at} is cut off`);
    left.values -= values;
    left.unpacked -= unpacked;
    if (left.values < 0 || left.unpacked < 0)
      throw new Error(`its ${file.byteLength} bytes cannot hold what its pages say`);
    at += length + packed;
  }
}

async function readHeader(file: AsyncBuffer, at: number, end: number) {
  for (let bytes = HEADER_BYTES; ; bytes *= 16) {
    const whole = Math.min(end, at + bytes);
    const reader = { view: new DataView(await file.slice(at, whole)), offset: 0 };
    try {
      return { header: parquetHeader(reader), length: reader.offset };
    } catch (error) {
      if (whole === end || bytes > LONGEST_HEADER) throw error;
    }
  }
}
