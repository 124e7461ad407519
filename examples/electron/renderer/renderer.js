// The page: a form, a bar, a line of text. It reaches stainfold through what preload.cjs exposes.
const { stainfold } = window;
const form = /** @type {HTMLFormElement} */ (document.getElementById('form'));
const bar = /** @type {HTMLProgressElement} */ (document.getElementById('bar'));
const status = /** @type {HTMLElement} */ (document.getElementById('status'));
const start = /** @type {HTMLButtonElement} */ (document.getElementById('train'));
const stop = /** @type {HTMLButtonElement} */ (document.getElementById('stop'));

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (form.querySelectorAll('[data-choose]'))) {
  button.addEventListener('click', async () => {
    const path = await stainfold.choose(button.dataset.choose === 'file' ? 'file' : 'folder');
    if (path)
      /** @type {HTMLInputElement} */ (form.elements.namedItem(button.dataset.for ?? '')).value = path;
  });
}

stainfold.onProgress(({ step, steps, loss, scatter }) => {
  bar.max = steps;
  bar.value = step;
  status.textContent = `Step ${step} of ${steps}: loss ${loss.toFixed(3)}, compaction ratio ${scatter.toFixed(3)}`;
});

stop.addEventListener('click', () => stainfold.request({ kind: 'stop' }));

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const values = new FormData(form);
  const [tiles, out, epochs] = ['tiles', 'out', 'epochs'].map((name) => String(values.get(name)));
  if (!tiles || !out) return;
  start.disabled = true;
  stop.disabled = false;
  status.textContent = 'Starting …';
  const answer = await stainfold.request({ kind: 'train', tiles, out, epochs: Number(epochs) });
  start.disabled = false;
  stop.disabled = true;
  status.textContent = 'error' in answer ? answer.error.message : `Done: ${answer.result.model}`;
});
