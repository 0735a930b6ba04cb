// The picture of a camera that is not ours: stills, fetched one after another while somebody looks.

const PAUSE_MS = 250;
const PAUSE_AFTER_FAILURE_MS = 1000;

export class Preview {
  #image;
  #onPicture;
  #camera = null;
  #round = null; // AbortController of the running loop
  #onScreen = true;

  /**
   * @param {HTMLImageElement} image
   * @param {(shown: boolean) => void} onPicture told after every attempt whether a picture is there
   */
  constructor(image, onPicture) {
    this.#image = image;
    this.#onPicture = onPicture;
    document.addEventListener("visibilitychange", () => this.#restart());
    new IntersectionObserver(([entry]) => {
      this.#onScreen = entry.isIntersecting;
      this.#restart();
    }).observe(image.parentElement);
  }

  /** Shows this camera, or none. */
  show(camera) {
    if (camera === this.#camera) return;
    this.#camera = camera;
    this.#clear();
    this.#restart();
  }

  #restart() {
    this.#round?.abort();
    this.#round = null;
    if (this.#camera === null || document.hidden || !this.#onScreen) return;
    this.#round = new AbortController();
    this.#loop(this.#camera, this.#round.signal);
  }

  async #loop(camera, signal) {
    const url = `api/cameras/${encodeURIComponent(camera)}/snapshot.jpg`;
    while (!signal.aborted) {
      const blob = await fetchPicture(url, signal);
      if (signal.aborted) return;
      if (blob) await this.#display(blob, signal);
      this.#onPicture(blob !== null);
      await new Promise((wake) => setTimeout(wake, blob ? PAUSE_MS : PAUSE_AFTER_FAILURE_MS));
    }
  }

  async #display(blob, signal) {
    const url = URL.createObjectURL(blob);
    const next = new Image();
    next.src = url;
    try {
      await next.decode(); // swapping before this would flicker
    } catch {
      URL.revokeObjectURL(url);
      return;
    }
    if (signal.aborted) {
      URL.revokeObjectURL(url);
      return;
    }
    this.#clear();
    this.#image.src = url;
  }

  #clear() {
    if (this.#image.src.startsWith("blob:")) URL.revokeObjectURL(this.#image.src);
    this.#image.removeAttribute("src");
  }
}

/** A picture, or null when there is none to be had now. */
async function fetchPicture(url, signal) {
  try {
    const response = await fetch(url, { signal, cache: "no-store" });
    if (response.status !== 200) return null;
    return await response.blob();
  } catch {
    return null; // away or aborted; the connection says which
  }
}
