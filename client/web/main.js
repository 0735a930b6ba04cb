// Puts the page together: what each part tells the others. Every part does its own work elsewhere.

import { Cameras } from "./cameras.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { byId, setNotice, setText } from "./dom.js";
import { duration } from "./format.js";
import { KeptOverlay } from "./kept.js";
import { Login } from "./login.js";
import { Numbers } from "./numbers.js";
import { Picker } from "./picker.js";
import { Stage } from "./stage.js";
import { Suggestions } from "./suggestions.js";
import { Transcript } from "./transcript.js";
import { TruthPanel, truthFootnote } from "./truth.js";
import { Webcam } from "./webcam.js";

const STATS_EVERY_MS = 500;

const connection = new Connection(new URL("v1/realtime", location.href).href.replace(/^http/, "ws"));
const conversation = new Conversation(connection);
const cameras = new Cameras();
const webcam = new Webcam(ownCameraName(), connection, byId("own"));
const stage = new Stage();
const kept = new KeptOverlay(byId("kept"), byId("show-kept"), () => draw());
const numbers = new Numbers();
const transcript = new Transcript();
const truth = new TruthPanel(byId("truth"));
const picker = new Picker(byId("camera"), (name) => cameras.select(name));
const composer = new Composer({ onAsk: ask, onCancel: cancelNewest });
const suggestions = new Suggestions(byId("chips"), (question) => composer.ask(question));
const login = new Login(() => connection.retryNow());
const spoken = new Set(); // cameras that answered since the last numbers, however briefly
let link = "connecting";

function ask(question) {
  const camera = cameras.current;
  setNotice(byId("problem"), null);
  return camera !== null && conversation.ask(camera.name, question) !== null;
}

function cancelNewest() {
  const newest = conversation.running.at(-1);
  if (newest) conversation.cancel(newest);
}

/** A name of its own for each page, so that two of them do not collide. */
function ownCameraName() {
  return `webcam-${Math.random().toString(36).slice(2, 6).padEnd(4, "0")}`;
}

function draw() {
  const camera = cameras.current;
  const isOwn = camera?.name === webcam.name && webcam.stream !== null;
  stage.update(camera, isOwn, link);
  kept.update(camera?.kept ?? null, stage.visible);
  picker.update(cameras, webcam.name);
  suggestions.show(camera);
  truth.show(camera?.has_truth ? camera.name : null);
  composer.update({
    canAsk: link === "open" && camera !== null,
    isAnswering: conversation.running.length > 0,
  });
  numbers.setStale(link !== "open" || (camera !== null && camera.state !== "live"));
}

function drawLink({ status, retryInMs }) {
  const pill = byId("connection");
  pill.dataset.state = status;
  const text = {
    connecting: "Connecting",
    open: "Connected",
    waiting: `Server away, trying again in ${duration(retryInMs)}`,
    locked: "Not logged in",
  }[status];
  setText(pill.querySelector("[data-part=text]"), text);
}

/** `note` says what the users of this model should know of it. */
function drawModel({ name, note }) {
  setNotice(byId("model-note"), note);
  byId("talk-title").title = `Answers come from ${name}`;
}

function drawWebcam() {
  const button = byId("webcam");
  setText(button, webcam.isOn ? "Stop my webcam" : "Use my webcam");
  button.setAttribute("aria-pressed", String(webcam.isOn));
  button.dataset.phase = webcam.phase;
  button.dataset.transport = webcam.transport ?? "";
  setNotice(byId("webcam-notice"), webcam.message, webcam.phase === "off" ? "bad" : "plain");
}

connection.addEventListener("status", ({ detail }) => {
  const retrying = detail.status === "connecting" && link === "waiting";
  link = retrying ? "waiting" : detail.status; // a retry changes nothing until it succeeds
  drawLink(detail);
  login.show(link === "locked");
  if (link === "locked") setNotice(byId("problem"), null);
  if (link === "open") {
    connection.send({ type: "lookout.camera.list" });
    connection.send({ type: "lookout.stats.subscribe", interval_ms: STATS_EVERY_MS });
  }
  draw();
});
connection.addEventListener("session.created", ({ detail: { session } }) => drawModel(session.lookout.model));
connection.addEventListener("lookout.camera.listed", ({ detail }) => {
  cameras.replaceAll(detail.cameras);
  // Sent after connecting: a server that was restarted meanwhile has lost our webcam.
  const isThere = detail.cameras.some(({ name }) => name === webcam.name);
  if (webcam.transport === "webrtc" && !isThere) webcam.publish();
});
connection.addEventListener("lookout.camera.detached", ({ detail }) => {
  if (detail.camera !== webcam.name) cameras.forget(detail.camera);
  else if (webcam.transport !== "webrtc") return; // our own doing; stills bring it back by themselves
  else if (webcam.isSending) webcam.stop("Somebody removed your webcam from the server.");
  else webcam.publish();
});
connection.addEventListener("lookout.camera.state", ({ detail }) => {
  const { type, event_id, lookout, camera, ...view } = detail;
  cameras.merge({ ...view, name: camera });
});
connection.addEventListener("lookout.stats", ({ detail }) => {
  cameras.replaceAll(detail.cameras);
  const camera = cameras.current;
  if (camera) numbers.update(camera, detail.at, camera.answering > 0 || spoken.has(camera.name));
  spoken.clear();
});

cameras.addEventListener("change", draw);
cameras.addEventListener("select", () => numbers.reset(cameras.selected));

conversation.addEventListener("turn", ({ detail: turn }) => {
  const isDemo = Boolean(cameras.get(turn.camera)?.has_truth);
  transcript.add(turn, isDemo ? truthFootnote(turn.camera) : null);
  turn.addEventListener("change", () => {
    spoken.add(turn.camera);
    draw();
    if (!turn.isRunning) suggestions.refresh();
  });
  draw();
});
conversation.addEventListener("problem", ({ detail }) => setNotice(byId("problem"), detail, "bad"));

webcam.addEventListener("change", () => {
  if (webcam.phase === "connecting") cameras.expect(webcam.name);
  if (webcam.phase === "off") cameras.forget(webcam.name);
  drawWebcam();
  draw();
});
byId("webcam").addEventListener("click", () => (webcam.isOn ? webcam.stop() : webcam.start()));
addEventListener("pagehide", () => webcam.isOn && webcam.stop());

draw();
connection.open();
