// The login: trades an API key for a same-site cookie, so that no key is kept on the page or in a URL.

import { byId, setNotice } from "./dom.js";

export class Login {
  #form = byId("login");
  #key = byId("key");

  /** @param {() => void} onDone told when the server knows us */
  constructor(onDone) {
    this.#form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const problem = await logIn(this.#key.value.trim());
      setNotice(byId("login-problem"), problem, "bad");
      if (problem) return;
      this.#key.value = "";
      onDone();
    });
  }

  show(wanted) {
    if (this.#form.hidden === !wanted) return;
    this.#form.hidden = !wanted;
    if (wanted) this.#key.focus();
  }
}

/** Null when it worked, else a sentence. */
async function logIn(key) {
  try {
    const response = await fetch("api/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ key }),
    });
    if (response.ok) return null;
    return response.status === 401 ? "The server does not know this key." : `The server said ${response.status}.`;
  } catch {
    return "The server does not answer.";
  }
}
