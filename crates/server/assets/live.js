// The page stays true: one stream of changes; what a change touches is read again and put in place.
//
// Rows of the queue never move under the reader. A row that changed is exchanged where it stands and marked; new ones
// wait behind a pill. Without a stream the page asks every ten seconds.

import { announce, busy, read, replace } from "./page.js";

const KINDS = ["case", "approval", "mail", "audit", "health"];
const SETTLE_MS = 250;
const POLL_MS = 10_000;

let touched = new Set();
let timer = null;
let reading = false;

function touch(kind) {
  touched.add(kind);
  timer ??= setTimeout(refresh, SETTLE_MS);
}

async function refresh() {
  timer = null;
  if (reading) {
    timer = setTimeout(refresh, SETTLE_MS);
    return;
  }
  const kinds = touched;
  touched = new Set();
  reading = true;
  try {
    const fresh = await read(location.href);
    if (fresh) put(fresh, kinds);
  } catch {
    // The next change, or the next poll, tries again.
  } finally {
    reading = false;
  }
}

function put(fresh, kinds) {
  const ids = [];
  for (const region of document.querySelectorAll("[data-live]")) {
    if (!region.dataset.live.split(" ").some((kind) => kinds.has(kind))) continue;
    if (busy(region) && !settled(fresh, region)) continue;
    ids.push(region.id);
  }
  const changed = replace(fresh, ids);
  if (kinds.has("case") || kinds.has("approval")) putRows(fresh);
  document.title = fresh.title;
  if (changed.includes("detail")) announce("The page you are reading changed.");
}

/** Somebody else decided: the card locks to its outcome even while this reader has its form open. */
function settled(fresh, region) {
  const open = region.querySelector("[data-decide]");
  return open !== null && fresh.getElementById(region.id)?.querySelector("[data-decide]") === null;
}

function putRows(fresh) {
  const queue = document.querySelector("[data-queue]");
  const next = fresh.querySelector("[data-queue]");
  if (!queue || !next) {
    if (queue || next) replaceQueue(fresh);
    return;
  }
  let news = 0;
  for (const row of next.querySelectorAll(".row")) {
    const old = document.getElementById(row.id);
    if (!old) news += 1;
    else if (text(old) !== text(row)) exchange(old, row);
  }
  for (const row of queue.querySelectorAll(".row")) {
    if (!fresh.getElementById(row.id)) row.classList.add("gone");
  }
  offer(news);
}

function text(row) {
  const copy = row.cloneNode(true);
  for (const time of copy.querySelectorAll("time, .due")) time.remove();
  return copy.textContent;
}

function exchange(old, row) {
  const copy = document.importNode(row, true);
  if (old.hasAttribute("aria-current")) copy.setAttribute("aria-current", "true");
  else copy.removeAttribute("aria-current");
  copy.classList.add("changed");
  const focused = document.activeElement === old;
  old.replaceWith(copy);
  if (focused) copy.focus({ preventScroll: true });
}

function offer(news) {
  const pill = document.querySelector("[data-new-rows]");
  if (!pill) return;
  pill.hidden = news === 0;
  pill.textContent = `${news} new`;
  if (news > 0) announce(`${news} new in the queue.`);
}

/** The queue came into being or emptied: take it as it is. */
function replaceQueue(fresh) {
  const old = document.getElementById("queue");
  const next = fresh.getElementById("queue");
  if (old && next) old.replaceWith(document.importNode(next, true));
}

document.addEventListener("click", async (event) => {
  if (!event.target.closest("[data-new-rows]")) return;
  const fresh = await read(location.href);
  if (!fresh) return;
  const selected = document.querySelector(".row[aria-current]")?.id;
  replaceQueue(fresh);
  for (const row of document.querySelectorAll(".row")) {
    if (row.id === selected) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  offer(0);
});

function state(word, live) {
  const place = document.querySelector("[data-live-state]");
  if (!place) return;
  place.classList.toggle("is-live", live);
  place.querySelector("[data-live-word]").textContent = word;
}

let poll = null;

function listen() {
  const stream = new EventSource("/api/v1/stream");
  stream.addEventListener("open", () => {
    state("Live", true);
    clearInterval(poll);
    poll = null;
    // What happened between the page and this moment was told to nobody.
    KINDS.forEach(touch);
  });
  stream.addEventListener("error", () => {
    state("Reconnecting", false);
    if (stream.readyState === EventSource.CLOSED) {
      state("Every 10 s", false);
      poll ??= setInterval(() => KINDS.forEach(touch), POLL_MS);
    }
  });
  for (const kind of KINDS) stream.addEventListener(kind, () => touch(kind));
  stream.addEventListener("clock", (event) => {
    const { iso, text } = JSON.parse(event.data);
    const time = document.querySelector("[data-clock] time");
    if (!time) return;
    time.dateTime = iso;
    time.title = iso;
    time.textContent = text;
  });
}

listen();
