// The main process: a window, and a utility process that owns everything native. A crash there, or a GPU out of memory, leaves the
// window standing.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { app, BrowserWindow, dialog, ipcMain, utilityProcess } from 'electron';

const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

/** @type {Electron.UtilityProcess | undefined} */
let worker;

/** Requests that the worker has not answered yet, by their number. */
const waiting = new Map();
let next = 1;

function startWorker() {
  // A packaged application brings LibTorch as a resource; else it is where `npx stainfold setup` has put it.
  const bundled = join(process.resourcesPath, 'libtorch');
  const env = { ...process.env, ...(existsSync(bundled) && { LIBTORCH: bundled }) };
  const child = utilityProcess.fork(here('worker.js'), [], { serviceName: 'stainfold', env });
  child.on('message', ({ id, progress, result, error }) => {
    const request = waiting.get(id);
    if (!request) return;
    if (progress) return request.report(progress);
    waiting.delete(id);
    if (error) request.reject(error);
    else request.resolve(result);
  });
  child.on('exit', (code) => {
    worker = undefined; // the next request starts another
    for (const request of waiting.values()) {
      request.reject({ code: null, message: `The worker ended with status ${code}.`, hint: null });
    }
    waiting.clear();
  });
  return child;
}

/**
 * @param {Electron.IpcMainInvokeEvent} event
 * @param {import('./worker.js').Request} request
 * @returns {Promise<{ result: unknown } | { error: import('./worker.js').Failure }>} never rejects: an Error that crosses to a window
 *   loses its code
 */
function ask(event, request) {
  worker ??= startWorker();
  const id = next++;
  const child = worker;
  return new Promise((resolve) => {
    waiting.set(id, {
      report: (/** @type {unknown} */ progress) => {
        if (!event.sender.isDestroyed()) event.sender.send('stainfold:progress', progress); // a training outlives its window
      },
      resolve: (/** @type {unknown} */ result) => resolve({ result }),
      reject: (/** @type {import('./worker.js').Failure} */ error) => resolve({ error }),
    });
    child.postMessage({ id, request });
  });
}

ipcMain.handle('stainfold:request', ask);
ipcMain.handle('stainfold:choose', async (_event, kind) => {
  const { filePaths } = await dialog.showOpenDialog({
    properties: kind === 'folder' ? ['openDirectory', 'createDirectory'] : ['openFile'],
  });
  return filePaths[0] ?? null;
});

async function openWindow() {
  const window = new BrowserWindow({
    width: 760,
    height: 560,
    webPreferences: { preload: here('preload.cjs'), contextIsolation: true, sandbox: true },
  });
  // What the page may ask for is given to this page alone: it opens no other, and goes nowhere.
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }));
  window.webContents.on('will-navigate', (event) => event.preventDefault());
  await window.loadFile(here('renderer/index.html'));
}

// Not awaited here: Electron is ready only when this module has run to its end.
app.whenReady().then(openWindow);
app.on('window-all-closed', () => app.quit());
app.on('before-quit', () => worker?.kill());
