// The way round when WebRTC finds no path: stills of a playing video, sent over the websocket.

import { imageMessage } from "./wire.js";

const FRAMES_PER_SECOND = 5;
const LONGEST_SIDE = 640;
const QUALITY = 0.8;
const MAX_BACKLOG = 200_000; // bytes; beyond it a frame is skipped: a fresh one is worth more

export class JpegFeed {
  #video;
  #connection;
  #camera;
  #canvas = document.createElement("canvas");
  #timer = 0;
  #busy = false;

  constructor(video, connection, camera) {
    this.#video = video;
    this.#connection = connection;
    this.#camera = camera;
    this.#timer = setInterval(() => this.#tick(), 1000 / FRAMES_PER_SECOND);
  }

  /** Idempotent. */
  close() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  async #tick() {
    const ready = this.#video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
    if (this.#busy || !ready || !this.#connection.isOpen || this.#connection.backlog > MAX_BACKLOG) return;
    this.#busy = true;
    try {
      const capturedAt = new Date();
      const jpeg = await this.#grab();
      if (jpeg && this.#timer) this.#connection.send(imageMessage(this.#camera, capturedAt, jpeg));
    } finally {
      this.#busy = false;
    }
  }

  async #grab() {
    const { videoWidth, videoHeight } = this.#video;
    const scale = Math.min(1, LONGEST_SIDE / Math.max(videoWidth, videoHeight));
    this.#canvas.width = Math.round(videoWidth * scale);
    this.#canvas.height = Math.round(videoHeight * scale);
    const context = this.#canvas.getContext("2d", { alpha: false });
    context.drawImage(this.#video, 0, 0, this.#canvas.width, this.#canvas.height);
    const blob = await new Promise((done) => this.#canvas.toBlob(done, "image/jpeg", QUALITY));
    return blob && new Uint8Array(await blob.arrayBuffer());
  }
}
