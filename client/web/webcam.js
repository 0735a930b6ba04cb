// The webcam as a camera of the server: permission, WebRTC, and stills over the websocket if that fails.
//
// Dispatches "change"; `phase` is off | asking | connecting | live, `transport` null | webrtc | jpeg,
// `message` a sentence worth telling or null.

import { JpegFeed } from "./jpeg-feed.js";
import { Refusal, WhipSession } from "./whip.js";

const CONSTRAINTS = {
  audio: false,
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 15, max: 30 } },
};

export class Webcam extends EventTarget {
  phase = "off";
  transport = null;
  message = null;
  stream = null;
  #connection;
  #video;
  #feed = null; // WhipSession or JpegFeed
  #round = null; // AbortController of the present attempt

  /**
   * @param {string} name of the camera on the server
   * @param {Connection} connection
   * @param {HTMLVideoElement} video that plays the webcam on the page
   */
  constructor(name, connection, video) {
    super();
    this.name = name;
    this.#connection = connection;
    this.#video = video;
  }

  /** Whether the way to the server is known to be whole. */
  get isSending() {
    return this.phase === "live" && (this.transport === "jpeg" || this.#feed.isConnected);
  }

  get isOn() {
    return this.phase !== "off";
  }

  async start() {
    if (this.isOn) return;
    if (!navigator.mediaDevices?.getUserMedia) {
      this.#change({ message: insecureSentence() });
      return;
    }
    const round = (this.#round = new AbortController());
    this.#change({ phase: "asking", message: "Your browser asks whether this page may use the camera." });
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia(CONSTRAINTS);
    } catch (error) {
      if (!round.signal.aborted) this.#change({ phase: "off", message: refusalSentence(error) });
      return;
    }
    if (round.signal.aborted) {
      stopTracks(stream);
      return;
    }
    this.stream = stream;
    this.#video.srcObject = stream;
    const [track] = stream.getVideoTracks();
    track.addEventListener("ended", () =>
      this.stop("The webcam stopped: it was unplugged, or its permission was taken back."),
    );
    await this.publish();
  }

  /** Connects the running webcam to the server, anew if it was connected before. */
  async publish() {
    if (this.stream === null) return;
    this.#round?.abort();
    const round = (this.#round = new AbortController());
    await this.#closeFeed();
    if (round.signal.aborted) return;
    this.#change({ phase: "connecting", transport: null, message: null });
    const session = new WhipSession();
    try {
      await session.open(this.stream, `whip/${encodeURIComponent(this.name)}`, round.signal);
    } catch (error) {
      if (round.signal.aborted) return;
      if (error instanceof Refusal) this.stop(`The server did not take the webcam: ${error.message}.`);
      else this.#fallBack(error);
      return;
    }
    if (round.signal.aborted) {
      await session.close();
      return;
    }
    session.onBroken = () => this.publish();
    this.#feed = session;
    this.#change({ phase: "live", transport: "webrtc", message: null });
  }

  async stop(message = null) {
    this.#round?.abort();
    if (this.stream) stopTracks(this.stream);
    this.stream = null;
    this.#video.srcObject = null;
    this.#change({ phase: "off", transport: null, message });
    await this.#closeFeed();
  }

  #fallBack(error) {
    this.#feed = new JpegFeed(this.#video, this.#connection, this.name);
    this.#change({
      phase: "live",
      transport: "jpeg",
      message: `WebRTC did not connect (${error.message}), so stills are sent over the websocket instead.`,
    });
  }

  async #closeFeed() {
    const feed = this.#feed;
    this.#feed = null;
    await feed?.close();
  }

  #change(values) {
    Object.assign(this, values);
    this.dispatchEvent(new Event("change"));
  }
}

function stopTracks(stream) {
  for (const track of stream.getTracks()) track.stop();
}

function insecureSentence() {
  if (isSecureContext) return "This browser gives pages no camera. Another browser will.";
  return (
    `Browsers give a page the camera only over https, or at http://127.0.0.1. This page came from ` +
    `${location.origin}. Open it on the machine that runs Lookout, or put Lookout behind https.`
  );
}

function refusalSentence(error) {
  switch (error.name) {
    case "NotAllowedError":
      return "The camera was not allowed. Allow it in the address bar's site settings, then try again.";
    case "NotFoundError":
      return "No webcam was found. Plug one in, then try again.";
    case "NotReadableError":
      return "The webcam is in use by another program. Close that one, then try again.";
    default:
      return `The webcam could not be opened: ${error.message || error.name}.`;
  }
}
