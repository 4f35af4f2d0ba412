// Reading a page again and putting parts of it in place, without losing what the reader is doing.

/** The document that the server would show at `href` now. */
export async function read(href) {
  const response = await fetch(href, { headers: { "X-Requested-With": "console" } });
  if (!response.ok || response.redirected) return null;
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/** True while the reader types or decides inside `region`: it must not be replaced under their hands. */
export function busy(region) {
  const active = document.activeElement;
  if (active && region.contains(active) && active.matches("input, textarea, select")) return true;
  return region.querySelector("details[data-decide][open], details.refund[open], form[data-sent]") !== null;
}

/** Replaces the content of every region of `ids` that differs. Returns the ids that changed. */
export function replace(fresh, ids) {
  const changed = [];
  for (const id of ids) {
    const old = document.getElementById(id);
    const next = fresh.getElementById(id);
    if (!old || !next || old.innerHTML === next.innerHTML) continue;
    const focused = old.contains(document.activeElement) ? pathTo(document.activeElement) : null;
    const scrolled = old.scrollTop;
    old.replaceChildren(...next.cloneNode(true).childNodes);
    old.scrollTop = scrolled;
    if (focused) old.querySelector(focused)?.focus({ preventScroll: true });
    changed.push(id);
  }
  return changed;
}

function pathTo(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const href = element.getAttribute("href");
  return href ? `${element.localName}[href="${CSS.escape(href)}"]` : element.localName;
}

let lastSaid = 0;
let toSay = "";

/** Says `text` to those who listen rather than look, at most every five seconds; the newest wins. */
export function announce(text) {
  const waiting = toSay !== "";
  toSay = text;
  if (waiting) return;
  const delay = Math.max(0, lastSaid + 5000 - performance.now());
  setTimeout(() => {
    lastSaid = performance.now();
    document.querySelector("[data-announce]").textContent = toSay;
    toSay = "";
  }, delay);
}
