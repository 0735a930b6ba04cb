// The picture of the camera that is looked at, and one sentence when there is none or it is not live.

import { explain } from "./cameras.js";
import { byId, setNotice, setText } from "./dom.js";
import { duration, known } from "./format.js";
import { Preview } from "./preview.js";

const NOBODY =
  "No camera yet. Start your webcam above, or restart Lookout with one: " +
  "`lookout serve --source porch=rtsp://192.168.1.20/stream`";
const NO_SERVER = "The Lookout server does not answer. Is `lookout serve` running? This page goes on trying.";

export class Stage {
  #picture = byId("picture");
  #own = byId("own");
  #empty = byId("stage-empty");
  #badges = byId("badges");
  #notice = byId("camera-notice");
  #preview;
  #hasPicture = false;
  #shown = null;

  constructor() {
    this.#preview = new Preview(this.#picture, (there) => {
      this.#hasPicture = there || this.#hasPicture;
      this.#cover();
    });
  }

  /**
   * @param {object | null} camera that is looked at
   * @param {boolean} isOwn whether it is this page's webcam, shown without a detour
   * @param {"connecting" | "open" | "waiting" | "locked"} link to the server
   */
  update(camera, isOwn, link) {
    const name = camera?.name ?? null;
    if (name !== this.#shown || isOwn !== this.isOwn) this.#hasPicture = false;
    this.#shown = name;
    this.isOwn = isOwn;
    this.link = link;
    this.camera = camera;
    this.#preview.show(this.#canFetch() ? name : null);
    this.#picture.alt = name ? `Live picture of ${name}` : "";
    this.#cover();
    this.#label(camera, link);
  }

  /** The element that shows the picture, or null when there is none. */
  get visible() {
    if (this.isOwn) return this.#own;
    return this.#picture.hidden ? null : this.#picture;
  }

  /** A camera that has delivered nothing has no picture to ask for. */
  #canFetch() {
    return this.link === "open" && !this.isOwn && this.camera?.frames_in > 0;
  }

  #cover() {
    this.#own.hidden = !this.isOwn;
    this.#picture.hidden = this.isOwn || !this.#hasPicture || !this.#picture.hasAttribute("src");
    const nothing = this.#own.hidden && this.#picture.hidden;
    setNotice(this.#empty, nothing ? this.#reasonForNothing() : null);
  }

  #reasonForNothing() {
    if (this.link === "waiting") return NO_SERVER;
    if (this.link === "locked") return "Log in to see the cameras.";
    if (this.link === "connecting") return "Connecting to the Lookout server.";
    if (!this.camera) return NOBODY;
    return `Waiting for the first picture of ${this.camera.name}.`;
  }

  #label(camera, link) {
    const present = camera !== null && link === "open";
    this.#badges.hidden = !present;
    setNotice(this.#notice, present ? explain(camera, duration) : null, "warn");
    if (!present) return;
    const state = byId("badge-state");
    state.dataset.state = camera.state;
    setText(state, camera.state);
    const age = byId("badge-age");
    age.hidden = !known(camera.frame_age_ms);
    setText(age, `newest frame ${duration(camera.frame_age_ms)} old`);
  }
}
