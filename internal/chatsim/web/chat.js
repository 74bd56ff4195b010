// The phone: what was said, and what can be tapped.
import { clock, hidden, make } from "./draw.js";

const chat = document.getElementById("chat");
const words = document.getElementById("words");
const away = document.getElementById("away");
let me;
let shown = 0;

// Buttons that open something go through a form, because no browser holds a form's window for a pop-up.
const opens = new Set(["open", "login"]);

// joinChat lets the person talk.
export function joinChat(person) {
  me = person;
  document.getElementById("say").addEventListener("submit", (event) => {
    event.preventDefault();
    say(words.value);
    words.value = "";
  });
  for (const hint of document.querySelectorAll("#hints button")) {
    hint.addEventListener("click", () => { say(hint.textContent); words.focus(); });
  }
}

// say sends words, and shows that somebody thinks about them.
const say = (text) => thinking(() => post("/messages", { text }));

async function thinking(asks) {
  const dots = make("p", { class: "typing" }, make("i"), make("i"), make("i"), hidden("is typing"));
  const later = setTimeout(() => { chat.append(dots); toEnd(); }, 250);
  try {
    await asks();
  } finally {
    clearTimeout(later);
    dots.remove();
  }
}

const post = (path, body) => fetch(me.at + path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
});

const toEnd = () => chat.scrollTo({ top: chat.scrollHeight });

new ResizeObserver(toEnd).observe(chat);

// drawChat adds what is new, so that who hears the page hears that alone.
export function drawChat(view) {
  document.getElementById("linked").textContent = view.user.linked ? "your account is linked" : "not linked";
  document.body.classList.toggle("is-linked", view.user.linked);
  const last = view.messages.at(-1)?.id ?? 0;
  if (last < shown) { // the simulator began anew
    chat.replaceChildren();
    shown = 0;
  }
  const fresh = view.messages.filter((message) => message.id > shown);
  if (fresh.length > 0) {
    for (const old of chat.querySelectorAll(".replies")) old.remove();
    chat.append(...fresh.map((message) => bubble(view, message)));
    shown = last;
    toEnd();
    away.hidden = true;
  }
  if (last === 0 && !chat.hasChildNodes()) {
    chat.append(make("p", { class: "note" }, `This is the chat of ${view.company}. Ask for your leave balance.`));
  }
}

const speakers = { user: () => "You", bot: (view) => view.company, platform: (view) => view.app };

function bubble(view, message) {
  if (message.by === "platform") return make("p", { class: "note" }, message.text);
  const said = make("div", { class: `message ${message.by}` }, hidden(`${speakers[message.by](view)}: `));
  if (message.text) said.append(make("p", { class: "text" }, message.text));
  if (message.media) said.append(make("img", { src: message.media, alt: "" }));
  said.append(...buttons(message.buttons));
  for (const card of message.cards ?? []) {
    said.append(make("div", { class: "cardlet" },
      card.imageURL && make("img", { src: card.imageURL, alt: "" }),
      card.title && make("p", { class: "title" }, card.title), card.text && make("p", {}, card.text), ...buttons(card.buttons)));
  }
  const line = make("div", { class: `line ${message.by}` }, said, make("time", { datetime: message.at }, clock(message.at).slice(0, 5)));
  const replies = buttons(message.quickReplies);
  return replies.length === 0 ? line : make("div", {}, line, make("div", { class: "replies" }, ...replies));
}

const buttons = (all) => (all ?? []).map((button) => (opens.has(button.action) ? opener(button) : presser(button)));

function presser(button) {
  const element = make("button", { type: "button" }, button.label);
  element.addEventListener("click", () => thinking(() => post("/press", { button: button.id })));
  return element;
}

// opener opens what the chat app's own browser would: a small window beside the page, or a tab on a phone.
function opener(button) {
  const field = (name, value) => make("input", { type: "hidden", name, value });
  const form = make("form", { method: "post", action: "/sim/open" },
    field("channel", me.channel), field("user", me.user), field("button", button.id),
    make("button", { class: "main" }, button.label));
  form.addEventListener("submit", () => {
    const left = Math.round(screenX + Math.max(0, (outerWidth - 440) / 2));
    form.target = window.open("", "login", `popup,width=440,height=760,left=${left},top=${screenY + 60}`) ? "login" : "_self";
    away.textContent = "The login is open in the app's browser.";
    away.hidden = false;
  });
  return form;
}
