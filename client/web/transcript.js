// Draws the turns of a conversation: question, answer as it grows, evidence, timing, how it ended.

import { byId, element, setText } from "./dom.js";
import { duration, known, streamTime, timeOfDay } from "./format.js";

const ENDINGS = {
  cancelled: "cancelled",
  failed: "failed",
  incomplete: "cut off at the length limit",
};

const STALE_MS = 1000; // an answer from fresher frames needs no remark

export class Transcript {
  #list = byId("transcript");
  #hint = byId("transcript-hint");
  #scroller = byId("scroller");
  #announcer = byId("announcer");

  /** Adds a turn, and a footnote (or null) that the caller fills as it likes. */
  add(turn, footnote = null) {
    this.#hint.hidden = true;
    const parts = {
      answer: element("p", { className: "answer", data: { testid: "answer" } }),
      ending: element("p", { className: "ending", hidden: true, data: { testid: "ending" } }),
      facts: element("ul", { className: "facts", data: { testid: "facts" } }),
    };
    const item = element(
      "li",
      { className: "turn", data: { testid: "turn", status: turn.status } },
      element(
        "p",
        { className: "asked" },
        element("span", { className: "question", textContent: turn.question }),
        element("span", { className: "when", textContent: `${turn.camera}, ${timeOfDay(turn.askedAt)}` }),
      ),
      parts.answer,
      parts.ending,
      parts.facts,
      footnote,
    );
    this.#list.append(item);
    turn.addEventListener("change", () => this.#follow(() => this.#draw(turn, item, parts)));
    this.#draw(turn, item, parts);
    this.#scrollToEnd();
  }

  #draw(turn, item, parts) {
    item.dataset.status = turn.status;
    parts.answer.setAttribute("aria-busy", String(turn.isRunning));
    setText(parts.answer, turn.answer);
    if (turn.isRunning) return;
    const ending = [ENDINGS[turn.status], turn.detail].filter(Boolean).join(": ");
    parts.ending.hidden = !ending;
    setText(parts.ending, ending);
    parts.facts.replaceChildren(...facts(turn).map((fact) => element("li", fact)));
    // One announcement of the whole answer: a screen reader that is told token by token stutters.
    setText(this.#announcer, `Answer: ${turn.answer || ending || "nothing"}`);
  }

  /** Keeps the newest line in view, but only for somebody who is reading there. */
  #follow(change) {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const atEnd = scrollHeight - scrollTop - clientHeight < 48;
    change();
    if (atEnd) this.#scrollToEnd();
  }

  #scrollToEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

function facts(turn) {
  const { ttft_ms, tokens_per_s, frame_age_ms, queue_ms } = turn.timing;
  const tokens = turn.usage?.output_tokens;
  const rows = turn.evidence.map((seen) => ({
    textContent: `${seen.camera} ${streamTime(seen.t_start)} to ${streamTime(seen.t_end)}`,
    className: "evidence",
    title: "The stretch of the stream that this answer could read, in stream time",
    data: { testid: "evidence" },
  }));
  const timing = [
    known(ttft_ms) && `first token ${duration(ttft_ms)}`,
    known(tokens_per_s) && `${tokens_per_s.toFixed(tokens_per_s < 10 ? 1 : 0)} tokens/s`,
    known(tokens) && `${tokens} ${tokens === 1 ? "token" : "tokens"}`,
    known(frame_age_ms) && frame_age_ms >= STALE_MS && `newest frame ${duration(frame_age_ms)} old`,
    known(queue_ms) && queue_ms >= 100 && `waited ${duration(queue_ms)}`,
  ];
  return [...rows, ...timing.filter(Boolean).map((textContent) => ({ textContent }))];
}
