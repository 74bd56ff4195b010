// The page is a function of what the stream says: each part draws itself from the view.
import { drawChat, joinChat } from "./chat.js";
import { drawConditions, drawRecord, drawSteps, drawUnlinks, drawWire } from "./beside.js";

const { channel, user } = document.body.dataset;
const at = `/sim/channels/${encodeURIComponent(channel)}/users/${encodeURIComponent(user)}`;

joinChat({ channel, user, at });

const stream = new EventSource(`/sim/stream?${new URLSearchParams({ channel, user })}`);
stream.onmessage = (event) => {
  const view = JSON.parse(event.data);
  drawChat(view);
  drawSteps(view);
  drawConditions(view);
  drawRecord(view);
  drawWire(view);
  drawUnlinks(view);
  document.body.dataset.ready = "";
};

const copy = document.getElementById("copy");
copy.addEventListener("click", async () => {
  const code = document.getElementById("commands");
  try {
    await navigator.clipboard.writeText(code.textContent);
    document.getElementById("copied").textContent = "Copied";
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  } catch { // no right to the clipboard: the text is marked, and the keyboard copies it
    getSelection().selectAllChildren(code);
  }
});

document.getElementById("anew").addEventListener("click", async () => {
  const made = await fetch(`/sim/channels/${encodeURIComponent(channel)}/users`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name: "Julien Dupont" }),
  });
  const somebody = await made.json();
  location.href = `/?${new URLSearchParams({ channel, user: somebody.id })}`;
});
