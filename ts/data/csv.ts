/** One line of CSV (RFC 4180, LF): quoted where it must be. */
export function csvLine(values: readonly (string | number)[]): string {
  return `${values.map((value) => quote(String(value))).join(',')}\n`;
}

// Blanks at either end are quoted as well: readers that trim leave quoted ones alone.
const quote = (text: string): string =>
  /[",\n\r]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
