// Small helpers for building and changing the page. Text goes in as text, never as markup.

export const byId = (id) => document.getElementById(id);

/** An element with properties and children; strings become text nodes, null is left out. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "data") Object.assign(node.dataset, value);
    else if (key.startsWith("aria-") || key === "role") node.setAttribute(key, value);
    else node[key] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets text only where it differs, so that screen readers are not told the same thing twice. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows a sentence in a notice, or hides it when there is none; `commands` in it are set as code. */
export function setNotice(node, text, tone = "plain") {
  node.hidden = !text;
  node.dataset.tone = tone;
  if (node.dataset.text === (text ?? "")) return;
  node.dataset.text = text ?? "";
  node.replaceChildren(...withCode(text ?? ""));
}

function withCode(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", { textContent: part }) : part));
}
