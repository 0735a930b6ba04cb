// Questions and answers on one connection, without a page: which answer belongs to which question.
//
// The server gives each `response.create` exactly one `response.created` and one `response.done`, in
// the order of asking; or one `error` that names the event it refuses.

/** One question and what became of it; dispatches "change" whenever something did. */
export class Turn extends EventTarget {
  constructor(camera, question) {
    super();
    this.camera = camera;
    this.question = question;
    this.askedAt = new Date();
    this.answer = "";
    this.status = "waiting"; // waiting | answering | completed | incomplete | cancelled | failed
    this.detail = null; // why it ended as it did, as a sentence
    this.timing = {};
    this.usage = null;
    this.evidence = [];
    this.responseId = null;
    this.cancelWanted = false;
  }

  get isRunning() {
    return this.status === "waiting" || this.status === "answering";
  }

  update(values) {
    Object.assign(this, values);
    this.dispatchEvent(new Event("change"));
  }
}

/** Dispatches "turn" (detail: Turn) for every question and "problem" (detail: text) for stray errors. */
export class Conversation extends EventTarget {
  #connection;
  #unmatched = []; // turns whose response.created has not come yet, in the order of asking
  #byResponse = new Map();
  #requests = 0;

  constructor(connection) {
    super();
    this.#connection = connection;
    const on = (type, handle) => connection.addEventListener(type, (event) => handle(event.detail));
    on("status", ({ status }) => status === "waiting" && this.#lost());
    on("response.created", ({ response }) => this.#created(response));
    on("response.output_text.delta", (event) => this.#delta(event));
    on("response.output_text.annotation.added", (event) => this.#annotation(event));
    on("response.done", ({ response }) => this.#done(response));
    on("error", ({ error }) => this.#error(error ?? {}));
  }

  get running() {
    return [...this.#unmatched, ...this.#byResponse.values()];
  }

  /** Asks a camera; null when the server is away. */
  ask(camera, text) {
    if (!this.#connection.isOpen) return null;
    const turn = new Turn(camera, text);
    const request = `ask_${(this.#requests += 1)}`;
    turn.requests = [`${request}_item`, `${request}_answer`];
    this.#unmatched.push(turn);
    this.#connection.send({
      type: "conversation.item.create",
      event_id: turn.requests[0],
      item: { type: "message", role: "user", content: [{ type: "input_text", text }] },
    });
    this.#connection.send({
      type: "response.create",
      event_id: turn.requests[1],
      response: { lookout: { camera } },
    });
    this.dispatchEvent(new CustomEvent("turn", { detail: turn }));
    return turn;
  }

  cancel(turn) {
    if (!turn.isRunning) return;
    turn.cancelWanted = true;
    if (turn.responseId) {
      this.#connection.send({ type: "response.cancel", response_id: turn.responseId });
    } // otherwise it is cancelled as soon as it has a name
  }

  #created(response) {
    const turn = this.#unmatched.shift();
    if (!turn) return; // an answer that this page did not ask for
    this.#byResponse.set(response.id, turn);
    turn.update({ responseId: response.id, status: "answering" });
    if (turn.cancelWanted) this.cancel(turn);
  }

  #delta({ response_id, delta }) {
    const turn = this.#byResponse.get(response_id);
    turn?.update({ answer: turn.answer + delta, status: "answering" });
  }

  #annotation({ response_id, annotation }) {
    const turn = this.#byResponse.get(response_id);
    turn?.update({ evidence: [...turn.evidence, annotation] });
  }

  #done(response) {
    const turn = this.#byResponse.get(response.id);
    if (!turn) return;
    this.#byResponse.delete(response.id);
    const details = response.status_details ?? {};
    turn.update({
      status: response.status,
      detail: details.error?.message ?? details.message ?? null,
      timing: response.lookout?.timing ?? {},
      usage: response.usage ?? null,
    });
  }

  #error(error) {
    const refused = this.#unmatched.find((turn) => turn.requests.includes(error.event_id));
    const text = error.message ?? error.code ?? "The server refused something without saying what.";
    if (!refused) {
      this.dispatchEvent(new CustomEvent("problem", { detail: text }));
      return;
    }
    // A refused item is followed by an answer to nothing or a second error: wait for the answer's.
    if (error.event_id === refused.requests[0]) {
      refused.detail = text;
      return;
    }
    this.#unmatched.splice(this.#unmatched.indexOf(refused), 1);
    refused.update({ status: "failed", detail: refused.detail ?? text });
  }

  #lost() {
    const running = this.running;
    this.#unmatched = [];
    this.#byResponse.clear();
    for (const turn of running) {
      turn.update({ status: "failed", detail: "The connection to the server was lost." });
    }
  }
}
