// The last minute as a strip: frames entering memory per second, shaded where an answer was given.
// It shows at a glance whether the camera goes on being watched while an answer is spoken.

const SECONDS = 60;
const WIDTH = 120; // of the SVG's viewBox
const HEIGHT = 32;
const HEADROOM = 1.5; // after a pause, frames that waited come in faster
const SMOOTH_S = 2; // a rate over less than this is mostly the beat of segments

export class Pulse {
  #svg;
  #top = 1; // frames per second that fill the height
  #samples = []; // {at, frames, answering}, oldest first, at most a minute and a bit

  constructor(svg) {
    this.#svg = svg;
  }

  reset() {
    this.#samples = [];
    this.#draw();
  }

  /** Takes a reading: at what second, frames so far, frames per second hoped for, whether it answers. */
  add(at, frames, fps, answering) {
    this.#top = Math.max(1, fps * HEADROOM);
    const last = this.#samples.at(-1);
    if (last && frames < last.frames) this.#samples = []; // the server began anew
    this.#samples.push({ at, frames, answering });
    while (this.#samples[0].at < at - SECONDS - SMOOTH_S - 1) this.#samples.shift();
    this.#draw();
  }

  /** Frames per second over the last seconds, or null before there are two readings. */
  get rate() {
    return this.#rateAt(this.#samples.length - 1);
  }

  #rateAt(index) {
    const end = this.#samples[index];
    if (!end) return null;
    let start = index;
    while (start > 0 && end.at - this.#samples[start].at < SMOOTH_S) start -= 1;
    const span = end.at - this.#samples[start].at;
    return span > 0 ? (end.frames - this.#samples[start].frames) / span : null;
  }

  #draw() {
    const now = this.#samples.at(-1)?.at ?? 0;
    const rates = this.#samples.map((_, index) => this.#rateAt(index) ?? 0);
    const x = (at) => (WIDTH * (1 - (now - at) / SECONDS)).toFixed(2);
    const y = (value) => (HEIGHT * (1 - Math.min(1, value / this.#top))).toFixed(2);
    const line = this.#samples.map(({ at }, index) => `L${x(at)} ${y(rates[index])}`).join("");
    const first = this.#samples[0];
    const area = first ? `M${x(first.at)} ${HEIGHT}${line}L${WIDTH} ${HEIGHT}Z` : "";
    this.#svg.querySelector(".pulse-frames").setAttribute("d", area);
    this.#svg.querySelector(".pulse-answer").setAttribute("d", this.#bands(x));
  }

  #bands(x) {
    const band = (from, to) => `M${x(from)} 0H${x(to)}V${HEIGHT}H${x(from)}Z`;
    return this.#samples
      .slice(1)
      .map((sample, index) => (sample.answering ? band(this.#samples[index].at, sample.at) : ""))
      .join("");
  }
}
