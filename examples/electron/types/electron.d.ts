// biome-ignore-all lint/suspicious/noExplicitAny: what crosses a process boundary is any in Electron's own declarations
/**
 * The little of Electron that this example uses, so that it is type-checked where Electron is not installed. test/package checks it
 * against Electron's own declarations, too, where these can be had.
 */
declare namespace Electron {
  interface UtilityProcess {
    postMessage(message: unknown): void;
    on(event: 'message', listener: (message: any) => void): this;
    on(event: 'exit', listener: (code: number) => void): this;
    kill(): boolean;
  }
  interface IpcMainInvokeEvent {
    sender: { send(channel: string, ...args: unknown[]): void; isDestroyed(): boolean };
  }
  interface ParentPort {
    on(event: 'message', listener: (event: { data: any }) => void): this;
    postMessage(message: unknown): void;
  }
}

declare module 'electron' {
  export const app: {
    whenReady(): Promise<void>;
    quit(): void;
    on(event: 'window-all-closed' | 'before-quit', listener: () => void): void;
  };
  export class BrowserWindow {
    constructor(options: {
      width: number;
      height: number;
      webPreferences: { preload: string; contextIsolation: boolean; sandbox: boolean };
    });
    webContents: {
      setWindowOpenHandler(handler: () => { action: 'deny' }): void;
      on(event: 'will-navigate', listener: (event: { preventDefault(): void }) => void): void;
    };
    loadFile(path: string): Promise<void>;
  }
  export const dialog: {
    showOpenDialog(options: {
      properties: ('openDirectory' | 'createDirectory' | 'openFile')[];
    }): Promise<{ filePaths: string[] }>;
  };
  export const ipcMain: {
    handle(channel: string, listener: (event: Electron.IpcMainInvokeEvent, ...args: any[]) => unknown): void;
  };
  export const utilityProcess: {
    fork(
      path: string,
      args: string[],
      options: { serviceName: string; env: Record<string, string | undefined> },
    ): Electron.UtilityProcess;
  };
  export const contextBridge: { exposeInMainWorld(name: string, api: unknown): void };
  export const ipcRenderer: {
    invoke(channel: string, ...args: unknown[]): Promise<any>;
    on(channel: string, listener: (event: unknown, ...args: any[]) => void): void;
  };
}

declare namespace NodeJS {
  interface Process {
    parentPort: Electron.ParentPort;
    resourcesPath: string;
  }
}
