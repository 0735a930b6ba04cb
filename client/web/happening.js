// What a demo world's log says, in words for people.

const MOVEMENTS = {
  still: "not moving",
  closer: "coming closer",
  away: "going away",
  around: "turning round",
  carried: "carried by a hand",
};

const SENTENCES = {
  "picked up": ({ name }) => `the hand picked up the ${name}`,
  "put down": ({ name }) => `the hand put down the ${name}`,
  covered: ({ name }) => `${name} was covered`,
  uncovered: ({ name }) => `${name} was uncovered`,
  jumped: ({ name }) => `${name} jumped to another place`,
  collided: ({ name, detail }) => `${name} collided with ${detail}`,
  "changed colour": ({ shape, detail }) => `${shape} changed colour to ${detail}`, // its name is the new one already
  "changed number": ({ name, detail }) => `${name} changed to ${detail}`,
};

/** "red circle", "box, open", "sign, 42". */
export const appearance = ({ name, state }) => (state ? `${name}, ${state}` : name);

/** "moving left", "not moving", "covered". */
export const movement = ({ moving, covered }) => (covered ? "covered" : (MOVEMENTS[moving] ?? `moving ${moving}`));

/** "the hand picked up the hammer", "box opened", "sign changed to 7". */
export const sentence = (event) => (SENTENCES[event.event] ?? (({ name }) => `${name} ${event.event}`))(event);
