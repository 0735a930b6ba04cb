// The one binary message: a JPEG with its camera and time (the header of core/events/binary.py).

const HEADER_BYTES = 16;
const MAGIC = [0x4c, 0x4b, 0x46, 0x31]; // "LKF1"

/**
 * @param {string} camera ASCII, 1 to 64 characters
 * @param {Date} capturedAt
 * @param {Uint8Array} jpeg
 * @returns {Uint8Array}
 */
export function imageMessage(camera, capturedAt, jpeg) {
  const name = new TextEncoder().encode(camera);
  const message = new Uint8Array(HEADER_BYTES + name.length + jpeg.length);
  message.set(MAGIC, 0);
  message[4] = name.length;
  new DataView(message.buffer).setBigUint64(8, BigInt(capturedAt.getTime()));
  message.set(name, HEADER_BYTES);
  message.set(jpeg, HEADER_BYTES + name.length);
  return message;
}
