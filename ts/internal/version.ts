/** Version of stainfold. A constant, not read from package.json: a bundle has none beside it. test/house/version.test.js keeps them one. */
export const VERSION = '0.1.0';
