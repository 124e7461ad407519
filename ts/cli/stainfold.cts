#!/usr/bin/env node
/**
 * What npm installs as `stainfold`: sets how many threads libuv's pool has, one a core, then starts the command line. libuv looks
 * once, when the pool is first used, and loading an ES module uses it: hence CommonJS.
 */
import os = require('node:os');

process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, os.availableParallelism()));
void import('./main.js');
