// Which camera to look at: a list that is only redrawn when it differs, for it may be open.

import { element } from "./dom.js";

export class Picker {
  #select;
  #drawn = "";

  constructor(select, onPick) {
    this.#select = select;
    select.addEventListener("change", () => onPick(select.value));
  }

  /** `ownName` is the camera that this page makes itself. */
  update(cameras, ownName) {
    const options = cameras.all.map(({ name, state }) => {
      const title = name === ownName ? "your webcam" : name;
      return { name, label: state === "live" ? title : `${title} (${state})` };
    });
    const next = JSON.stringify(options);
    if (next !== this.#drawn) {
      this.#drawn = next;
      const nodes = options.map(({ name, label }) => element("option", { value: name, textContent: label }));
      this.#select.replaceChildren(...nodes);
      if (!nodes.length) this.#select.append(element("option", { value: "", textContent: "none yet" }));
    }
    this.#select.disabled = options.length === 0;
    this.#select.value = cameras.selected ?? "";
  }
}
