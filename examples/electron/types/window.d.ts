type Requests = import('../worker.js').Request;
type Answer<Result> = Promise<{ result: Result } | { error: import('../worker.js').Failure }>;

/** What preload.cjs gives the page. */
interface Window {
  stainfold: {
    request(request: Requests & { kind: 'train' }): Answer<{ model: string; seconds: number }>;
    request(request: Requests & { kind: 'embed' }): Answer<{ data: Float32Array; shape: [number, number] }>;
    request(request: Requests & { kind: 'stop' }): Answer<null>;
    choose(kind: 'folder' | 'file'): Promise<string | null>;
    onProgress(
      listener: (progress: { step: number; steps: number; loss: number; scatter: number }) => void,
    ): void;
  };
}
