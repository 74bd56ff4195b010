// Beside the phone: how far one has come, the resource, BotBonnie's record, the wire, and the unlinking.
import { clock, hidden, make, redraw, short } from "./draw.js";

const byId = (id) => document.getElementById(id);

// drawSteps marks what is done, and what is next.
export function drawSteps({ steps }) {
  const next = steps.findIndex((step) => !step.done);
  redraw(byId("steps"), steps, () => steps.map((step, i) => make("li",
    { class: step.done ? "done" : "", "aria-current": i === next ? "step" : null },
    make("span", { class: "number", "aria-hidden": "true" }, step.done ? "✓" : String(i + 1)),
    make("span", {}, step.text, step.done && hidden(" (done)")))));
  const list = byId("steps"); // on a phone it is a row that scrolls
  list.scrollLeft = (list.querySelector("[aria-current]")?.offsetLeft ?? 0) - list.offsetLeft;
}

// ranks put what sums the others up first.
const ranks = { Ready: 0, Accepted: 1, SecretsReady: 2, IssuerDiscovered: 3, StoreReady: 4, Available: 5, Exposed: 6, Registered: 7, ConfirmationSeen: 8 };
// stalled are good when they are False.
const reversed = new Set(["Reconciling", "Stalled"]);

// drawConditions shows the ChannelLink as `kubectl describe` would.
export function drawConditions({ resource }) {
  byId("resource-title").parentElement.hidden = !resource;
  if (!resource) return;
  byId("resource-name").textContent = resource.problem ?? `kubectl -n ${resource.namespace} describe chl ${resource.name}`;
  const all = (resource.conditions ?? []).toSorted((a, b) => (ranks[a.type] ?? 9) - (ranks[b.type] ?? 9));
  redraw(byId("conditions"), all, () => all.map((c) => {
    const good = reversed.has(c.type) ? c.status === "False" : c.status === "True";
    const mood = good ? "good" : c.status === "Unknown" ? "open" : "bad";
    return make("li", { class: `${mood}${c.type === "Ready" ? " first" : ""}`, title: c.message ?? "" },
      make("strong", {}, c.type), " ", make("span", { class: "status" }, c.status), " ",
      !(good && (c.reason === c.type || c.type !== "Ready")) && make("span", { class: "reason" }, c.reason),
      !good && c.message && make("span", { class: "why" }, c.message));
  }));
}

// drawRecord shows what a company's agents see in BotBonnie.
export function drawRecord({ botBonnie, user }) {
  byId("kept").hidden = !botBonnie;
  const rows = [
    ["Account", user.linked ? "linked" : "not linked"], ["CRM id", user.crmID], ["Tags", user.tags?.join(", ")],
    ["Parameters", Object.entries(user.params ?? {}).map(([name, value]) => `${name} = ${value}`).join(", ")],
    ["Agents were told", user.notices?.join(" · ")],
  ];
  redraw(byId("record"), rows, () => rows.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", { class: value ? "" : "none" }, value || "–"))));
}

const names = { server: "ChannelLink server", browser: "Browser" };
const called = (party) => names[party] ?? party ?? "";

// proof says what showed who asks, and whether it was believed.
function proof(request) {
  if (request.signed) {
    const good = request.credentials ? request.credentials === "ok" : request.status >= 200 && request.status < 300;
    const what = request.signed === "Authorization" ? "assertion" : "signature";
    return [good ? "good" : "bad", good ? `${what} ok` : `${what} refused`, request.signed];
  }
  switch (request.credentials) {
    case "ok": return ["good", "token ok", ""];
    case "wrong": return ["bad", "refused", ""];
    case "missing": return ["bad", "none", ""];
  }
  return ["", "–", ""];
}

function target(path) {
  try {
    const url = new URL(path);
    return [url.pathname, url.host];
  } catch {
    return [path, ""];
  }
}

// drawWire shows the requests, the newest first.
export function drawWire({ wire }) {
  byId("quiet").hidden = wire.length > 0;
  const body = byId("wire");
  const known = Number(body.dataset.newest ?? 0);
  redraw(body, wire, () => wire.toReversed().map((request) => {
    const [mood, words, header] = proof(request);
    const [path, host] = target(request.path);
    const outcome = request.status === 0 ? (request.from === "browser" ? "opens" : "no answer") : String(request.status);
    const bad = request.status === 0 ? request.from !== "browser" : request.status >= 400;
    return make("tr", { class: request.id > known && known > 0 ? "new" : "" },
      make("td", { class: "time" }, make("time", { datetime: request.at }, clock(request.at))),
      make("td", { class: "who" }, called(request.from), make("span", { "aria-hidden": "true" }, " → "), hidden(" asks "), called(request.to)),
      make("td", { class: "request", title: host }, make("b", {}, request.method), " ", make("code", {}, short(path)),
        request.refusal && make("span", { class: "why" }, request.refusal)),
      make("td", { class: mood, title: header }, words),
      make("td", { class: bad ? "bad" : "good" }, outcome));
  }));
  body.dataset.newest = wire.at(-1)?.id ?? 0;
}

// drawUnlinks shows the commands, and the AccountUnlinks that they have made.
export function drawUnlinks({ resource, commands }) {
  byId("unlink").hidden = !resource;
  if (byId("commands").textContent !== (commands ?? "")) byId("commands").textContent = commands ?? "";
  const all = resource?.unlinks ?? [];
  redraw(byId("unlinks"), all, () => all.map((u) => make("li", { class: u.complete ? "good" : u.failed ? "bad" : "open" },
    make("code", {}, u.name), " ", make("strong", {}, u.complete ? "Complete" : u.failed ? "Failed" : "Under way"), " ",
    make("span", {}, [u.reason, u.summary].filter(Boolean).join(" · ")), !u.complete && u.message && make("span", { class: "why" }, u.message))));
}
