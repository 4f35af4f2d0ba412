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

/**
 * Replaces the content of every region of `ids` that differs. Where only times moved on, only they are written, so that
 * a selection or an opened part stays as it is. Returns the ids that changed otherwise.
 */
export function replace(fresh, ids) {
  const changed = [];
  for (const id of ids) {
    const old = document.getElementById(id);
    const next = fresh.getElementById(id);
    if (!old || !next || old.innerHTML === next.innerHTML) continue;
    if (withoutTimes(old) === withoutTimes(next)) {
      moveTimes(old, next);
      continue;
    }
    const opened = [...old.querySelectorAll("details:not([data-decide])")].map((part) => part.open);
    const focused = old.contains(document.activeElement) ? pathTo(document.activeElement) : null;
    const scrolled = old.scrollTop;
    old.replaceChildren(...next.cloneNode(true).childNodes);
    old.querySelectorAll("details:not([data-decide])").forEach((part, index) => { part.open ||= opened[index] ?? false; });
    old.scrollTop = scrolled;
    if (focused) old.querySelector(focused)?.focus({ preventScroll: true });
    changed.push(id);
  }
  return changed;
}

/** What a region says apart from times and what the reader opened. */
export function withoutTimes(region) {
  const copy = region.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.replaceWith();
  for (const part of copy.querySelectorAll("details")) part.open = false;
  return copy.innerHTML;
}

function moveTimes(old, next) {
  const times = next.querySelectorAll("time");
  old.querySelectorAll("time").forEach((time, index) => {
    const { dateTime, title, textContent } = times[index];
    Object.assign(time, { dateTime, title, textContent });
  });
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
