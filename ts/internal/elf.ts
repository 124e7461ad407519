/** Symbol versions of an ELF file: which GLIBC and GLIBCXX a binary needs, and which a library has. */
import { readFileSync } from 'node:fs';

export interface SymbolVersions {
  /** What the file asks of others: `GLIBC_2.35`. Each once, in no order. */
  needed: string[];
  /** What it has for others. */
  defined: string[];
}

/** What a binary asks of the system at least; undefined where it asks for nothing versioned. */
export interface AbiFloor {
  /** `2.35` */
  glibc?: string;
  /** `3.4.30`, of libstdc++ */
  glibcxx?: string;
  /** `1.3.13`, of libstdc++ */
  cxxabi?: string;
}

const VERDEF = 0x6ffffffd; // section types SHT_GNU_verdef and SHT_GNU_verneed
const VERNEED = 0x6ffffffe;

/** Undefined for what is no whole 64-bit little-endian ELF file with section headers. */
export function readSymbolVersions(path: string): SymbolVersions | undefined {
  const file = readFileSync(path);
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    return undefined;
  try {
    return parse(file);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // cut off
    throw error;
  }
}

function parse(file: Buffer): SymbolVersions {
  const start = Number(file.readBigUInt64LE(40));
  const stride = file.readUInt16LE(58);
  const section = (index: number) => {
    const at = start + index * stride;
    return {
      type: file.readUInt32LE(at + 4),
      offset: Number(file.readBigUInt64LE(at + 24)),
      link: file.readUInt32LE(at + 40), // the section of its names
      count: file.readUInt32LE(at + 44), // of entries
    };
  };
  const needed = new Set<string>();
  const defined = new Set<string>();
  for (let index = 0; index < file.readUInt16LE(60); index++) {
    const { type, offset, link, count } = section(index);
    if (type !== VERNEED && type !== VERDEF) continue;
    const names = section(link).offset;
    const name = (at: number) => file.toString('latin1', names + at, file.indexOf(0, names + at));
    // Each entry says how far the next one is; 0 ends the list, whatever the count says.
    let entry = offset;
    for (let i = 0, next = 1; i < count && next > 0; i++, entry += next) {
      if (type === VERNEED) {
        // Verneed: u16 version, u16 count, u32 file, u32 aux, u32 next; Vernaux: u32 hash, u16 flags, u16 other, u32 name, u32 next
        let aux = entry + file.readUInt32LE(entry + 8);
        for (let j = 0, on = 1; j < file.readUInt16LE(entry + 2) && on > 0; j++, aux += on) {
          needed.add(name(file.readUInt32LE(aux + 8)));
          on = file.readUInt32LE(aux + 12);
        }
        next = file.readUInt32LE(entry + 12);
      } else {
        // Verdef: u16 version, u16 flags, u16 index, u16 count, u32 hash, u32 aux, u32 next; Verdaux: u32 name, u32 next.
        // The first name is its own, those after it are of the versions it builds on.
        defined.add(name(file.readUInt32LE(entry + file.readUInt32LE(entry + 12))));
        next = file.readUInt32LE(entry + 16);
      }
    }
  }
  return { needed: [...needed], defined: [...defined] };
}

/** What the binaries together ask for; undefined where they are no ELF files. */
export function abiFloor(paths: readonly string[]): AbiFloor | undefined {
  const needed = paths.flatMap((path) => readSymbolVersions(path)?.needed ?? []);
  return needed.length === 0 ? undefined : highestVersions(needed);
}

/** The highest version of each interface among `GLIBC_2.35` and the like. */
export function highestVersions(names: readonly string[]): AbiFloor {
  const highest = (prefix: string) =>
    names
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length))
      .filter((version) => /^\d+(?:\.\d+)*$/.test(version)) // not GLIBC_PRIVATE
      .sort(compare)
      .at(-1);
  const [glibc, glibcxx, cxxabi] = [highest('GLIBC_'), highest('GLIBCXX_'), highest('CXXABI_')];
  return { ...(glibc && { glibc }), ...(glibcxx && { glibcxx }), ...(cxxabi && { cxxabi }) };
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
