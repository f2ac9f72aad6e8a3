// Elements from plain calls, and a page brought up to date in place: focus, selection and scroll stay where they are.

// h("a", { href, class, style: { width: "3px" }, onclick }, ...children); null and false children are left out.
export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") Object.entries(value).forEach(([key, one]) => made.style.setProperty(key, one));
    else if (name.startsWith("on")) made[name] = value;
    else if (name === "value") made.value = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return made;
}

// Make `old` show what `made` does. An element with data-keep and the same key is somebody else's inside.
export function morph(old, made) {
  if (old.nodeType !== made.nodeType || old.nodeName !== made.nodeName || old.dataset?.key !== made.dataset?.key) {
    old.replaceWith(made);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== made.data) old.data = made.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!made.hasAttribute(name) && name !== "style" && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of made.attributes) {
    if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.style.cssText !== made.style.cssText) old.style.cssText = made.style.cssText;
  for (const name of ["onclick", "onchange", "oninput", "onkeydown"]) old[name] = made[name];
  if ("keep" in old.dataset) return;
  children(old, made);
}

function children(old, made) {
  const before = [...old.childNodes];
  const after = [...made.childNodes];
  after.forEach((child, i) => (i < before.length ? morph(before[i], child) : old.append(child)));
  before.slice(after.length).forEach((child) => child.remove());
}

// Put `content` (elements) into `place`, in place.
export function show(place, ...content) {
  const made = place.cloneNode(false);
  made.append(...content.flat(9).filter(Boolean));
  children(place, made);
}

export const link = (text, ...path) => h("a", { href: href(...path) }, text);
export const href = (...path) => "#/" + path.map(encodeURIComponent).join("/");
