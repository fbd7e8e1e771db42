// Orders: sign in, say what is wanted, read what it will do, confirm.
import {at, get} from "./dom.js";

let session = {possible: false, name: null, csrf: null};
let standing = null;
let asked = null;
const NAMES = {run: "Run with these settings", pause: "Pause", kill: "Kill"};

export function known(orders) {
  const changed = standing?.seq !== orders?.seq;
  standing = orders;
  if (changed && orders && !at("confirm").open) {
    const fields = at("order").elements;
    fields.cap.value = orders.max_exposure ?? "";
    fields.deny.value = orders.deny.join(" ");
  }
}

export async function orders() {
  session = await get("/api/session");
  at("order").hidden = !session.name;
  at("signin").hidden = Boolean(session.name);
  at("login").hidden = !session.possible;
  at("readonly").textContent = session.possible ? "A session lasts 15 minutes. Everything here can be read without signing in."
    : "This console is read-only: it was started without a token. To give orders, use perpfut agent control, or make one by perpfut console token.";
}

async function send(method, path, body) {
  const headers = {"Content-Type": "application/json"};
  if (session.csrf) headers["X-Perpfut-Csrf"] = session.csrf;
  const answer = await fetch(path, {method, headers, body: JSON.stringify(body)});
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error || answer.statusText);
  return told;
}

const say = text => { at("answer").textContent = text; };

function wanted(order) {
  const fields = at("order").elements;
  const cap = fields.cap.value.trim().replace(",", ".");
  if (cap && !(Number(cap) >= 0)) throw new Error(`The cap ${cap} is not a number.`);
  const deny = [...new Set(fields.deny.value.toUpperCase().split(/[\s,]+/).filter(Boolean))];
  return {order, max_exposure: cap ? Number(cap) : null, deny, note: fields.note.value, seen: standing?.seq ?? null};
}

async function ask(order) {
  try {
    asked = wanted(order);
    const told = await get(`/api/preview?order=${order}`);
    at("asked").textContent = `${NAMES[order]}?`;
    const cap = asked.max_exposure === null ? "no cap" : `cap ${asked.max_exposure}`;
    at("consequence").textContent = `${told.text} Orders: ${cap}, denied: ${asked.deny.join(", ") || "none"}.`;
    at("yes").textContent = NAMES[order];
    at("yes").className = order === "kill" ? "danger" : "";
    at("confirm").showModal();
    at("no").focus();
  } catch (error) { say(error.message); }
}

async function confirmed() {
  at("confirm").close();
  try {
    const told = await send("POST", "/api/orders", asked);
    say(`Written: orders no. ${told.orders.seq}, ${told.orders.order}, by ${told.orders.by}.`);
    at("order").elements.note.value = "";
  } catch (error) {
    say(`Not written. ${error.message}`);
    await orders();
  }
}

at("order").addEventListener("click", event => { if (event.target.dataset.order) ask(event.target.dataset.order); });
at("order").addEventListener("submit", event => event.preventDefault());
at("yes").addEventListener("click", confirmed);
at("no").addEventListener("click", () => at("confirm").close());
at("trial").addEventListener("click", async () => {
  try { say((await send("POST", "/api/trial", {})).text); } catch (error) { say(`Not sent. ${error.message}`); }
});
at("leave").addEventListener("click", async () => { await send("DELETE", "/api/session", {}); say("Signed out."); orders(); });
at("login").addEventListener("submit", async event => {
  event.preventDefault();
  const fields = at("login").elements;
  try {
    await send("POST", "/api/session", {name: fields.name.value, token: fields.token.value});
    say("");
  } catch (error) { say(error.message); }
  fields.token.value = "";
  await orders();
});
