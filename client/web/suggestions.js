// Questions worth asking, as chips. Those for demo cameras fit what their world is made of.

import { element } from "./dom.js";
import { fetchTruth } from "./truth.js";

const ANYWHERE = ["What do you see?", "What changed in the last minute?", "Is anybody there?"];
const DEMO = ["How many objects are there?", "What appeared last?"];

export class Suggestions {
  #group;
  #onPick;
  #camera = undefined;

  /**
   * @param {HTMLElement} group holds the chips
   * @param {(question: string) => void} onPick
   */
  constructor(group, onPick) {
    this.#group = group;
    this.#onPick = onPick;
  }

  /** Offers questions for this camera; for a demo camera, about what is in view now. */
  async refresh(camera, isDemo) {
    this.#camera = camera;
    if (camera === null) return this.#draw([]);
    if (!isDemo) return this.#draw(ANYWHERE);
    const truth = await fetchTruth(camera);
    if (this.#camera === camera) this.#draw([...DEMO, ...aboutOne(truth?.objects ?? [])]);
  }

  #draw(questions) {
    this.#group.replaceChildren(
      ...questions.map((question) =>
        element("button", {
          type: "button",
          className: "chip",
          textContent: question,
          onclick: () => this.#onPick(question),
        }),
      ),
    );
  }
}

/** Questions about an object whose shape is in view once only, so that it is clear which is meant. */
function aboutOne(objects) {
  const alone = objects.filter(({ shape }) => objects.filter((other) => other.shape === shape).length === 1);
  const newest = alone.at(-1);
  if (!newest) return ["Is there a red circle?"];
  return [
    `What color is the ${newest.shape}?`,
    `Where is the ${newest.shape}?`,
    `Which way is the ${newest.shape} moving?`,
  ];
}
