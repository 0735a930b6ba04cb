// Questions worth asking, as chips. Those for demo cameras fit what their world is made of.

import { element } from "./dom.js";
import { fetchTruth } from "./truth.js";

const ANYWHERE = ["What do you see?", "What changed in the last minute?", "Is anybody there?"];
const DEMO = ["What do you see?", "How many objects are there?", "What appeared last?"];

export class Suggestions {
  #group;
  #onPick;
  #camera = null;

  /**
   * @param {HTMLElement} group holds the chips
   * @param {(question: string) => void} onPick
   */
  constructor(group, onPick) {
    this.#group = group;
    this.#onPick = onPick;
  }

  /** The camera to ask about; nothing is offered until it is known whether it is a demo camera. */
  show(camera) {
    const known = camera?.has_truth === undefined ? null : camera;
    const isOther = known?.name !== this.#camera?.name || known?.has_truth !== this.#camera?.has_truth;
    this.#camera = known;
    if (isOther) this.refresh();
  }

  /** Offers questions anew; for a demo camera, about what is in view now. */
  async refresh() {
    const camera = this.#camera;
    if (camera === null) return this.#draw([]);
    if (!camera.has_truth) return this.#draw(ANYWHERE);
    const truth = await fetchTruth(camera.name);
    if (this.#camera?.name === camera.name) this.#draw([...DEMO, ...aboutOne(truth?.objects ?? [])]);
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

const ABOUT_STATES = {
  sign: "What number is on the sign?",
  box: "Is the box open?",
  lamp: "Is the lamp on?",
};

/** Questions about an object whose kind is in view once only, so that it is clear which is meant. */
function aboutOne(objects) {
  const alone = objects.filter(({ shape }) => objects.filter((other) => other.shape === shape).length === 1);
  const newest = alone.at(-1);
  if (!newest) return ["Is there a red circle?"];
  const { shape, colour } = newest;
  if (shape in ABOUT_STATES) return [ABOUT_STATES[shape], `Where is the ${shape}?`];
  return [colour ? `What color is the ${shape}?` : `Where is the ${shape}?`, `Which way is the ${shape} moving?`];
}
