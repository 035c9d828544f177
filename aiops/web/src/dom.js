/** Elements. Text goes in as text, never as markup, so that whatever a sender wrote is shown and not run. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. `on` holds listeners, `data` data attributes, `vars` CSS variables; true is an empty attribute, null and false none.
 * @param {string} tag
 * @param {Record<string, any>} [given]
 * @param {...any} children nodes, strings, numbers, arrays of them; null and false are left out
 * @returns {any}
 */
export function h(tag, given = {}, ...children) {
  return fill(document.createElement(tag), given, children);
}

/** The same for SVG. */
export function s(tag, given = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), given, children);
}

function fill(element, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "vars") for (const [key, to] of Object.entries(value)) element.style.setProperty(key, String(to));
    else if (name === "value" || name === "checked" || name === "selected" || name === "disabled") element[name] = value;
    else element.setAttribute(name === "class" ? "class" : name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** Put `children` in the place of what is in `element`. */
export function fillWith(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

let counter = 0;

/** An id for labels and descriptions. */
export function freshId(prefix) {
  counter += 1;
  return `${prefix}-${counter}`;
}

/** Tell those who do not see the screen. */
export function announce(text) {
  const place = document.getElementById("announcer");
  if (place) place.textContent = text;
}

/** Calls `run` once things have been quiet for `wait` milliseconds. */
export function debounce(run, wait) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...given), wait);
  };
}
