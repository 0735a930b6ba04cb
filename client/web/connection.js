// The websocket: opens it, opens it again for ever with growing pauses, hands out events.
//
// Dispatches "status" (detail: {status: "connecting" | "open" | "waiting" | "locked", retryInMs}) and one
// event per server message, named by its type, with the message as detail. "locked" means that the
// server wants a login: it is not tried again until `retryNow` is called.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;
const OPEN_WITHIN_MS = 8_000;
const LOGIN_WANTED = [1008, 4001]; // close codes: nobody known, token expired

export class Connection extends EventTarget {
  #url;
  #socket = null;
  #greeted = false; // the server has begun the session
  #failures = 0;
  #timer = 0;

  /** @param {string} url of the websocket */
  constructor(url) {
    super();
    this.#url = url;
    addEventListener("online", () => this.retryNow());
    addEventListener("pagehide", () => this.#socket?.close(1000));
    addEventListener("pageshow", (event) => event.persisted && this.retryNow());
  }

  get isOpen() {
    return this.#greeted && this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Bytes handed to the socket that have not left yet. */
  get backlog() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  open() {
    clearTimeout(this.#timer);
    this.#status("connecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    const impatience = setTimeout(() => socket.close(), OPEN_WITHIN_MS);
    socket.addEventListener("open", () => clearTimeout(impatience));
    socket.addEventListener("message", (message) => this.#receive(message.data));
    socket.addEventListener("close", (event) => {
      clearTimeout(impatience);
      this.#closed(event.code);
    });
  }

  /** Tries at once instead of waiting for the pause to end. */
  retryNow() {
    if (this.#socket === null) this.open();
  }

  /** Sends an event or raw bytes; false when the socket is not open. */
  send(message) {
    if (!this.isOpen) return false;
    this.#socket.send(message instanceof Uint8Array ? message : JSON.stringify(message));
    return true;
  }

  #receive(data) {
    const event = JSON.parse(data); // the server sends nothing but JSON objects with a type
    if (event.type === "session.created") {
      this.#greeted = true;
      this.#failures = 0;
      this.#status("open");
    }
    this.dispatchEvent(new CustomEvent(event.type, { detail: event }));
  }

  #closed(code) {
    this.#socket = null;
    this.#greeted = false;
    if (LOGIN_WANTED.includes(code)) {
      this.#status("locked");
      return;
    }
    this.#failures += 1;
    const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1));
    const pause = ceiling * (0.75 + Math.random() / 4); // jitter: many pages must not return as one
    this.#timer = setTimeout(() => this.open(), pause);
    this.#status("waiting", { retryInMs: pause });
  }

  #status(status, more = {}) {
    this.dispatchEvent(new CustomEvent("status", { detail: { status, ...more } }));
  }
}
