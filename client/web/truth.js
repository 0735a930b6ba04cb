// What is really there: demo cameras know, because they draw it. For people to check answers against.

import { element } from "./dom.js";
import { streamTime } from "./format.js";
import { appearance, movement, sentence } from "./happening.js";

const EVENTS_SHOWN = 10;

/** The truth of a demo camera now, or null. */
export async function fetchTruth(camera, signal) {
  try {
    const response = await fetch(`api/cameras/${encodeURIComponent(camera)}/truth`, {
      cache: "no-store",
      signal,
    });
    return response.ok ? await response.json() : null;
  } catch {
    return null; // away; the connection says so
  }
}

/** A table of the objects in view and a list of the latest events, the newest first. */
export function drawTruth({ t, objects = [], events = [] }) {
  const body = objects.map((object) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", textContent: appearance(object) }),
      element("td", { textContent: object.place }),
      element("td", { textContent: movement(object) }),
      element("td", { textContent: `since ${streamTime(object.appeared)}` }),
    ),
  );
  const happened = events
    .slice(-EVENTS_SHOWN)
    .reverse()
    .map((event) =>
      element("li", {}, element("span", { className: "when", textContent: streamTime(event.t) }), ` ${sentence(event)}`),
    );
  return element(
    "div",
    { className: "truth-body" },
    element("p", { textContent: `At ${streamTime(t)}: ${objects.length || "no"} ${objects.length === 1 ? "object" : "objects"} in view.` }),
    element("table", { data: { testid: "objects" } }, element("tbody", {}, ...body)),
    element("p", { textContent: events.length ? "What really happened, the newest first:" : "Nothing happened lately." }),
    element("ul", { data: { testid: "happened" } }, ...happened),
  );
}

/** A footnote under an answer: what was there when it was asked. Absent when nobody knows. */
export function truthFootnote(camera) {
  const details = element("details", { className: "footnote", hidden: true, data: { testid: "footnote" } });
  details.append(element("summary", { textContent: "What was really there" }));
  fetchTruth(camera).then((truth) => {
    if (truth === null) return;
    details.append(drawTruth(truth));
    details.hidden = false;
  });
  return details;
}

/** The disclosure under the picture: follows the truth while it is open. */
export class TruthPanel {
  #details;
  #camera = null;
  #round = null;

  constructor(details) {
    this.#details = details;
    details.addEventListener("toggle", () => this.#restart());
  }

  /** The camera to tell the truth about, or null for one that has none. */
  show(camera) {
    if (camera === this.#camera) return;
    this.#camera = camera;
    this.#details.hidden = camera === null;
    this.#restart();
  }

  #restart() {
    this.#round?.abort();
    this.#round = null;
    if (this.#camera === null || !this.#details.open) return;
    this.#round = new AbortController();
    this.#follow(this.#camera, this.#round.signal);
  }

  async #follow(camera, signal) {
    const body = this.#details.querySelector("[data-part=body]");
    while (!signal.aborted) {
      const truth = document.hidden ? null : await fetchTruth(camera, signal);
      if (signal.aborted) return;
      if (truth) body.replaceChildren(drawTruth(truth));
      await new Promise((wake) => setTimeout(wake, 1000));
    }
  }
}
