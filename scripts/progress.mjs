// Progress of a long stage on a terminal: one line rewritten in place; nothing where the output is not a terminal.
export function stageReporter(stream = process.stderr) {
  if (!stream.isTTY) return () => {};
  let last = 0;
  return ({ stage, done, total }) => {
    const now = performance.now();
    if (now - last < 100 && done < total) return;
    last = now;
    const share = total > 0 ? `${Math.floor((100 * done) / total)} %` : '';
    stream.write(`\r\x1b[K${stage} ${share}${done >= total ? '\r\x1b[K' : ''}`);
  };
}
