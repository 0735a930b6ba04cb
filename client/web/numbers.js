// The live numbers of the camera that is looked at.

import { byId, setText } from "./dom.js";
import { bytes, duration, known, number, rate } from "./format.js";
import { Pulse } from "./pulse.js";

export class Numbers {
  #section = byId("numbers");
  #meter = byId("memory-meter");
  #pulse = new Pulse(byId("pulse"));
  #camera = null;

  /** Another camera: its numbers have nothing to do with those shown so far. */
  reset(name) {
    this.#camera = name;
    this.#pulse.reset();
    this.#write({});
  }

  /** Greys the numbers out: they are the last ones known, not the present ones. */
  setStale(stale) {
    this.#section.toggleAttribute("data-stale", stale);
  }

  /** A camera's numbers, the moment they were taken, and whether it has been answering. */
  update(camera, at, answering) {
    if (camera.name !== this.#camera) this.reset(camera.name);
    if (known(camera.frames_remembered)) {
      const seconds = Date.parse(at) / 1000; // the server's clock: the way here takes now long, now short
      this.#pulse.add(seconds, camera.frames_remembered, camera.fps ?? 1, answering);
    }
    this.#write(camera);
  }

  #write(camera) {
    const { memory_held: held, memory_capacity: capacity } = camera;
    this.#figure("frames_in", number(camera.frames_remembered));
    this.#figure("rate", rate(this.#pulse.rate));
    this.#figure("frames_dropped", number(camera.frames_dropped));
    this.#figure("lag_ms", duration(camera.lag_ms));
    this.#figure("frame_age_ms", known(camera.frame_age_ms) ? `${duration(camera.frame_age_ms)} ago` : "–");
    this.#figure("tokens", this.#kept(camera));
    const size = known(camera.memory_bytes) ? `, ${bytes(camera.memory_bytes)}` : "";
    this.#figure("memory", known(capacity) ? `${number(held)} of ${number(capacity)} tokens${size}` : "–");
    const share = known(held) && capacity > 0 ? (100 * held) / capacity : 0;
    this.#meter.setAttribute("aria-valuenow", share.toFixed(0));
    this.#meter.firstElementChild.style.width = `${share}%`;
  }

  #kept({ tokens_kept: kept, tokens_encoded: encoded }) {
    if (!known(kept) || !encoded) return "–";
    return `${Math.round((100 * kept) / encoded)}% of ${number(encoded)}`;
  }

  #figure(name, text) {
    setText(this.#section.querySelector(`[data-figure="${name}"]`), text);
  }
}
