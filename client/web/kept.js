// What pruning kept of the newest temporal step, laid over the picture: dropped places are dimmed.
//
// It comes with the numbers, twice a second, and the picture on its own way: the two may be half a
// second apart.

const DIM = "rgb(6 10 9 / 72%)";

export class KeptOverlay {
  #canvas;
  #button;

  /**
   * @param {HTMLCanvasElement} canvas over the picture, and fitted into its place as the picture is
   * @param {HTMLButtonElement} button that turns it on and off
   * @param {() => void} onToggle told when it was turned on or off
   */
  constructor(canvas, button, onToggle) {
    this.#canvas = canvas;
    this.#button = button;
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(!this.isOn));
      onToggle();
    });
  }

  get isOn() {
    return this.#button.getAttribute("aria-pressed") === "true";
  }

  /**
   * @param {{rows: number, columns: number, cells: string} | null} step of the camera shown
   * @param {HTMLImageElement | HTMLVideoElement | null} picture that is visible
   */
  update(step, picture) {
    this.#button.disabled = step === null;
    const width = picture?.naturalWidth ?? picture?.videoWidth ?? 0;
    const height = picture?.naturalHeight ?? picture?.videoHeight ?? 0;
    this.#canvas.hidden = !this.isOn || step === null || !width || !height;
    if (!this.#canvas.hidden) this.#draw(step, width, height);
  }

  /** A canvas of the picture's size is fitted into the stage just as the picture is. */
  #draw({ rows, columns, cells }, width, height) {
    const canvas = this.#canvas;
    const kept = decode(cells, rows * columns);
    const count = kept.filter(Boolean).length;
    canvas.width = width; // also wipes it
    canvas.height = height;
    canvas.dataset.kept = String(count);
    canvas.setAttribute("aria-label", `${count} of ${rows * columns} visual tokens kept; the others are dimmed`);
    const context = canvas.getContext("2d");
    context.fillStyle = DIM;
    const edge = (place, places, length) => Math.round((place * length) / places); // no gaps, no overlaps
    kept.forEach((isKept, place) => {
      if (isKept) return;
      const [row, column] = [Math.floor(place / columns), place % columns];
      const [left, top] = [edge(column, columns, width), edge(row, rows, height)];
      const [right, bottom] = [edge(column + 1, columns, width), edge(row + 1, rows, height)];
      context.fillRect(left, top, right - left, bottom - top);
    });
  }
}

/** Bits from base64, the highest of each byte first. */
function decode(text, count) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return Array.from({ length: count }, (_, place) => Boolean(bytes[place >> 3] & (0x80 >> (place & 7))));
}
