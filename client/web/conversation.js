// Questions and answers on one connection, without a page: which answer belongs to which question.
//
// A question is first added to the conversation and answered only once the server has taken it: an
// answer asked for after a refused question would answer the one before.

/** One question and what became of it; dispatches "change" whenever something did. */
export class Turn extends EventTarget {
  constructor(camera, question) {
    super();
    this.camera = camera;
    this.question = question;
    this.askedAt = new Date();
    this.answer = "";
    this.status = "waiting"; // waiting | answering | completed | incomplete | cancelled | failed
    this.accepted = false; // the server has taken the question
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
  #running = new Map(); // key of each turn that has not ended, in the order of asking
  #requests = 0;

  constructor(connection) {
    super();
    this.#connection = connection;
    const on = (type, handle) => connection.addEventListener(type, (event) => handle(event.detail));
    on("status", ({ status }) => status !== "open" && this.#lost());
    on("conversation.item.added", ({ item }) => item.role === "user" && this.#accepted());
    on("response.created", ({ response }) => this.#created(response));
    on("response.output_text.delta", (event) => this.#delta(event));
    on("response.output_text.annotation.added", (event) => this.#annotation(event));
    on("response.done", ({ response }) => this.#done(response));
    on("error", ({ error }) => this.#error(error ?? {}));
  }

  get running() {
    return [...this.#running.values()];
  }

  /** Asks a camera; null when the server is away. */
  ask(camera, text) {
    if (!this.#connection.isOpen) return null;
    const turn = new Turn(camera, text);
    const key = `turn_${(this.#requests += 1)}`;
    this.#running.set(key, turn);
    this.#connection.send({
      type: "conversation.item.create",
      event_id: key,
      item: { type: "message", role: "user", content: [{ type: "input_text", text }] },
    });
    this.dispatchEvent(new CustomEvent("turn", { detail: turn }));
    return turn;
  }

  cancel(turn) {
    if (!turn.isRunning) return;
    turn.cancelWanted = true; // without an id yet, it is cancelled as soon as it has one
    if (turn.responseId) {
      this.#connection.send({ type: "response.cancel", response_id: turn.responseId });
    }
  }

  /** The server takes questions in the order in which they are sent. */
  #accepted() {
    const [key, turn] = [...this.#running].find(([, turn]) => !turn.accepted) ?? [];
    if (!turn) return;
    turn.accepted = true;
    this.#connection.send({
      type: "response.create",
      event_id: key,
      response: { metadata: { turn: key }, lookout: { camera: turn.camera } },
    });
  }

  #created(response) {
    const turn = this.#running.get(response.metadata?.turn);
    if (!turn) return; // an answer that this page did not ask for
    turn.update({ responseId: response.id, status: "answering" });
    if (turn.cancelWanted) this.cancel(turn);
  }

  #delta({ response_id, delta }) {
    const turn = this.#answering(response_id);
    turn?.update({ answer: turn.answer + delta, status: "answering" });
  }

  #annotation({ response_id, annotation }) {
    const turn = this.#answering(response_id);
    turn?.update({ evidence: [...turn.evidence, annotation] });
  }

  #done(response) {
    const turn = this.#answering(response.id);
    if (!turn) return;
    const { error, reason } = response.status_details ?? {};
    this.#end(turn, {
      status: response.status,
      detail: error?.message ?? (reason === "turn_detected" ? "the next question came first" : null),
      timing: response.lookout?.timing ?? {},
      usage: response.usage ?? null,
    });
  }

  #error(error) {
    const text = error.message ?? error.code ?? "The server refused something without saying what.";
    const refused = this.#running.get(error.event_id);
    if (refused) this.#end(refused, { status: "failed", detail: text });
    else this.dispatchEvent(new CustomEvent("problem", { detail: text }));
  }

  #lost() {
    for (const turn of this.running) {
      this.#end(turn, { status: "failed", detail: "The connection to the server was lost." });
    }
  }

  #answering(responseId) {
    return this.running.find((turn) => turn.responseId === responseId);
  }

  #end(turn, values) {
    for (const [key, other] of this.#running) if (other === turn) this.#running.delete(key);
    turn.update(values);
  }
}
