/**
 * How many tests ava says passed, failed and were skipped. Its summary leaves out those that passed as soon as one failed; then
 * they are counted by their lines.
 */
export function countAva(text) {
  // `17 tests passed`, `1 test failed`, `2 tests skipped`, `1 uncaught exception`, ...
  const count = (pattern) => [...text.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]), 0);
  const passed = count(/^\s*(\d+) tests? passed\b/gm);
  return {
    passed: passed || [...text.matchAll(/^\s*[✔√] /gm)].length,
    failed: count(
      /^\s*(\d+) (?:tests? failed|hooks? failed|tests? remained pending|uncaught exceptions?|unhandled rejections?)\b/gm,
    ),
    skipped: count(/^\s*(\d+) tests? (?:skipped|todo)\b/gm),
  };
}
