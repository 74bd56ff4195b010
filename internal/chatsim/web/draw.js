// make returns an element with attributes and children; a child is an element or text, and never markup.
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

// redraw gives a parent other children, if they differ: what is as it was keeps focus, selection and scroll position.
const drawn = new WeakMap();
export function redraw(parent, state, draw) {
  const now = JSON.stringify(state);
  if (drawn.get(parent) === now) return;
  drawn.set(parent, now);
  parent.replaceChildren(...draw());
}

// hidden is text for those who hear the page.
export const hidden = (text) => make("span", { class: "hidden" }, text);

// clock is the time of day.
export const clock = (at) => new Date(at).toLocaleTimeString("en-GB");

// short keeps of long ids what tells them apart.
export const short = (text) => text.replace(/\b(U[0-9a-f]{3}|\d{4})(?:[0-9a-f]{8,})([0-9a-f]{4})\b/g, "$1…$2");
