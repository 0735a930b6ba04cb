// Which cameras there are, how each is doing, and which one is looked at.
//
// Three messages feed it: the list over HTTP, state changes, and statistics. Dispatches "change" when
// a camera came, went or changed, and "select" when another one is looked at.

export class Cameras extends EventTarget {
  #byName = new Map();
  #own = new Set(); // cameras this page makes itself, shown even before the server knows them
  #wanted = null; // chosen by the person, kept while the camera is away
  selected = null;

  get all() {
    return [...this.#byName.values()];
  }

  get(name) {
    return this.#byName.get(name) ?? null;
  }

  get current() {
    return this.get(this.selected);
  }

  /** The whole truth of this moment: cameras that are not in it are gone. */
  replaceAll(views) {
    const kept = views.map((view) => [view.name, { ...this.#byName.get(view.name), ...view }]);
    const next = new Map(kept);
    for (const name of this.#own) {
      if (!next.has(name)) next.set(name, { name, state: "connecting", reason: null, url: "" });
    }
    this.#byName = next;
    this.#settle();
  }

  /** News of one camera. */
  merge(view) {
    this.#byName.set(view.name, { ...this.#byName.get(view.name), ...view });
    this.#settle();
  }

  /** Promises that a camera is about to exist, and looks at it. */
  expect(name) {
    this.#own.add(name);
    if (!this.#byName.has(name)) {
      this.#byName.set(name, { name, state: "connecting", reason: null, url: "" });
    }
    this.select(name);
  }

  forget(name) {
    this.#own.delete(name);
    this.#byName.delete(name);
    if (this.#wanted === name) this.#wanted = null;
    this.#settle();
  }

  select(name) {
    this.#wanted = name;
    this.#settle();
  }

  #settle() {
    const present = (name) => name !== null && this.#byName.has(name);
    const next = [this.#wanted, this.selected, this.#byName.keys().next().value ?? null].find(present);
    const changed = (next ?? null) !== this.selected;
    this.selected = next ?? null;
    this.dispatchEvent(new Event("change"));
    if (changed) this.dispatchEvent(new Event("select"));
  }
}

const REASONS = {
  auth: "it refuses the user name or the password",
  not_found: "there is no such stream at its address",
  timeout: "it does not answer",
  refused: "it refuses the connection",
  codec: "its video format cannot be decoded",
  no_keyframe: "no complete picture has arrived yet",
  tls: "its certificate is not trusted",
  ended: "its stream has ended",
};

const GIVEN_UP = {
  fps: "fewer frames are taken",
  budget: "less of each is kept",
  picture: "pictures are seen smaller",
  skip: "frames that wait are passed over",
};

/** What a camera gives up because it lags, or null if that is nothing. */
function strain({ name, given_up: rungs }) {
  const given = (rungs ?? []).map((rung) => GIVEN_UP[rung] ?? rung);
  return given.length ? `The engine cannot keep up with ${name}: until it can, ${given.join(", ")}.` : null;
}

/** One sentence about a camera that is not live or lags, or null for one that is well. */
export function explain(camera, duration) {
  if (!camera) return null;
  if (camera.state === "live") return strain(camera);
  const why = REASONS[camera.reason] ? `: ${REASONS[camera.reason]}` : "";
  const retry =
    typeof camera.retry_in_ms === "number" ? ` Trying again in ${duration(camera.retry_in_ms)}.` : "";
  const age =
    typeof camera.frame_age_ms === "number"
      ? ` The newest frame is ${duration(camera.frame_age_ms)} old; answers rest on what was seen until then.`
      : " Nothing has been seen yet.";
  const sentence = {
    connecting: `Connecting to ${camera.name}${why}.`,
    stalled: `${camera.name} is not live: its picture has stopped${why}.`,
    retrying: `${camera.name} is not live${why}.`,
    offline: `${camera.name} is offline${why}.`,
    disabled: `${camera.name} is switched off.`,
  }[camera.state];
  return `${sentence ?? `${camera.name} is ${camera.state ?? "not live"}${why}.`}${retry}${age}`;
}
