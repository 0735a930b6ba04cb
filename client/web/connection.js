// The websocket: opens it, opens it again for ever with growing pauses, hands out events.
//
// Dispatches "status" (detail: {status: "connecting" | "open" | "waiting", retryInMs, code}) and one
// event per server message, named by its type, with the message as detail.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const OPEN_WITHIN_MS = 8_000;

export class Connection extends EventTarget {
  #url;
  #protocols;
  #socket = null;
  #failures = 0;
  #timer = 0;

  /**
   * @param {string} url of the websocket
   * @param {() => Promise<string[]>} protocols asked before each attempt; carries the access token
   */
  constructor(url, protocols = async () => []) {
    super();
    this.#url = url;
    this.#protocols = protocols;
    addEventListener("online", () => this.retryNow());
    addEventListener("pagehide", () => this.#socket?.close(1000));
    addEventListener("pageshow", (event) => event.persisted && this.retryNow());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Bytes handed to the socket that have not left yet. */
  get backlog() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  async open() {
    clearTimeout(this.#timer);
    this.#status("connecting");
    let socket;
    try {
      socket = new WebSocket(this.#url, await this.#protocols());
    } catch {
      this.#closed(0);
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    const impatience = setTimeout(() => socket.close(), OPEN_WITHIN_MS);
    socket.addEventListener("open", () => {
      clearTimeout(impatience);
      this.#failures = 0;
      this.#status("open");
    });
    socket.addEventListener("message", (message) => this.#receive(message.data));
    socket.addEventListener("close", (event) => {
      clearTimeout(impatience);
      if (socket === this.#socket) this.#closed(event.code);
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
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return; // the protocol has no binary messages from the server
    }
    if (typeof event?.type === "string") this.dispatchEvent(new CustomEvent(event.type, { detail: event }));
  }

  #closed(code) {
    this.#socket = null;
    this.#failures += 1;
    const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1));
    const pause = ceiling * (0.75 + Math.random() / 4); // jitter: many pages must not return as one
    this.#timer = setTimeout(() => this.open(), pause);
    this.#status("waiting", { retryInMs: pause, code });
  }

  #status(status, more = {}) {
    this.dispatchEvent(new CustomEvent("status", { detail: { status, ...more } }));
  }
}
