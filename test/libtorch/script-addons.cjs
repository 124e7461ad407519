// Preloaded into a child (node --require): an addon that is text is run as JavaScript, so that every way it can behave is a few lines.
const { readFileSync } = require('node:fs');
const Module = require('node:module');

const open = Module._extensions['.node'];
Module._extensions['.node'] = (module, path) => {
  const binary = readFileSync(path).subarray(0, 4).includes(0x7f); // ELF; sharp's own
  return (binary ? open : Module._extensions['.js'])(module, path);
};
