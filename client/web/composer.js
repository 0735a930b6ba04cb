// Where questions are typed: Enter asks, Escape cancels the newest answer, the box grows with its text.

import { byId } from "./dom.js";

export class Composer {
  #form = byId("composer");
  #box = byId("question");
  #send = byId("send");
  #cancel = byId("cancel");

  /** Both are told when the person means it: `onAsk` gets the question and says whether it went out. */
  constructor({ onAsk, onCancel }) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const question = this.#box.value.trim();
      if (!question || this.#send.disabled || !onAsk(question)) return;
      this.#box.value = "";
      this.#grow();
    });
    this.#box.addEventListener("input", () => this.#grow());
    this.#box.addEventListener("keydown", (event) => {
      if (event.isComposing) return; // Enter there chooses a word of an input method
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        this.#form.requestSubmit();
      } else if (event.key === "Escape") {
        onCancel();
      }
    });
    this.#cancel.addEventListener("click", () => {
      onCancel();
      this.#box.focus();
    });
  }

  /** Puts a question into the box and asks it. */
  ask(question) {
    this.#box.value = question;
    this.#form.requestSubmit();
  }

  update({ canAsk, isAnswering }) {
    this.#send.disabled = !canAsk;
    this.#cancel.hidden = !isAnswering;
  }

  #grow() {
    this.#box.style.height = "auto";
    this.#box.style.height = `${this.#box.scrollHeight}px`;
  }
}
