// Sends a media stream to the server by WHIP (RFC 9725): offer out, answer back, DELETE to end.

const GATHER_WITHIN_MS = 2_000;
const CONNECT_WITHIN_MS = 5_000;
const MAX_BITRATE = 2_500_000;
const MAX_FRAMERATE = 15; // more than any camera is sampled at; the rest would be decoded for nothing

/** The server answered and said no; another way of sending would be refused as well. */
export class Refusal extends Error {}

export class WhipSession {
  #peer = new RTCPeerConnection();
  #resource = null;

  get isConnected() {
    return this.#peer.connectionState === "connected";
  }

  /** Called once if the connection breaks after it stood. */
  onBroken = () => {};

  /**
   * Resolves when video flows; throws when it does not in time, leaving nothing behind.
   *
   * @param {MediaStream} stream
   * @param {string} url to POST the offer to
   * @param {AbortSignal} signal
   */
  async open(stream, url, signal) {
    try {
      const [track] = stream.getVideoTracks();
      const { sender } = this.#peer.addTransceiver(track, { direction: "sendonly", streams: [stream] });
      await this.#peer.setLocalDescription(await this.#peer.createOffer());
      await this.#gathered();
      await this.#exchange(url, signal);
      await Promise.all([this.#connected(signal), tame(sender)]);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#peer.addEventListener("connectionstatechange", () => {
      if (this.#peer.connectionState === "failed") this.onBroken();
    });
  }

  /** Ends the session here and on the server. Idempotent. */
  async close() {
    this.onBroken = () => {};
    this.#peer.close();
    const resource = this.#resource;
    this.#resource = null;
    if (resource === null) return;
    try {
      await fetch(resource, { method: "DELETE", keepalive: true }); // lives on when the page closes
    } catch {
      // the server is away, and with it the session
    }
  }

  /** All candidates go into the one offer; a slow network must not hold it up for ever. */
  async #gathered() {
    const complete = () => this.#peer.iceGatheringState === "complete";
    await when(this.#peer, "icegatheringstatechange", complete, GATHER_WITHIN_MS).catch(() => {});
  }

  async #exchange(url, signal) {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: this.#peer.localDescription.sdp,
      signal,
    }).catch(() => {
      throw new Error("the server did not take the offer");
    });
    const body = await response.text();
    if (response.status !== 201) throw refusal(response.status, body);
    const location = response.headers.get("Location");
    if (location) this.#resource = new URL(location, response.url).href;
    await this.#peer.setRemoteDescription({ type: "answer", sdp: body });
  }

  #connected(signal) {
    const settled = () => {
      if (this.#peer.connectionState === "failed") throw new Error("no network path was found");
      return this.#peer.connectionState === "connected";
    };
    return when(this.#peer, "connectionstatechange", settled, CONNECT_WITHIN_MS, signal);
  }
}

/** Our server says why in JSON; anything else comes from something in between, and may be got round. */
function refusal(status, body) {
  try {
    return new Refusal(JSON.parse(body).error.message);
  } catch {
    return new Error(`the server refused it with status ${status}`);
  }
}

/** Keeps the picture's size and lets the rate give way: few frames are sampled, but each counts. */
async function tame(sender) {
  const parameters = sender.getParameters();
  parameters.degradationPreference = "maintain-resolution";
  for (const encoding of parameters.encodings ?? []) {
    Object.assign(encoding, { maxBitrate: MAX_BITRATE, maxFramerate: MAX_FRAMERATE });
  }
  await sender.setParameters(parameters).catch(() => {}); // an old browser sends as it likes
}

/** Resolves when `test()` holds, looking again at each event; rejects when it throws or time is up. */
function when(target, type, test, withinMs, signal = null) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(reject, new Error("it took too long")), withinMs);
    const look = () => {
      try {
        if (test()) finish(resolve);
      } catch (error) {
        finish(reject, error);
      }
    };
    const abort = () => finish(reject, signal.reason);
    const finish = (settle, value) => {
      clearTimeout(timer);
      target.removeEventListener(type, look);
      signal?.removeEventListener("abort", abort);
      settle(value);
    };
    target.addEventListener(type, look);
    signal?.addEventListener("abort", abort);
    look();
  });
}
