// What the page may do, and no more. CommonJS: a sandboxed preload script is not a module.
const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('stainfold', {
  /** @param {import('./worker.js').Request} request */
  request: (request) => ipcRenderer.invoke('stainfold:request', request),
  /** @param {'folder' | 'file'} kind @returns {Promise<string | null>} */
  choose: (kind) => ipcRenderer.invoke('stainfold:choose', kind),
  /** @param {(progress: { step: number, steps: number, loss: number, scatter: number }) => void} listener */
  onProgress: (listener) => {
    ipcRenderer.on('stainfold:progress', (_event, progress) => listener(progress));
  },
});
