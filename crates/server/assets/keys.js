// The keyboard. No single key moves money: `a` opens the question and puts the focus on its button, Enter commits.

import { read, replace } from "./page.js";

const GO = { i: "/inbox", m: "/mailbox", a: "/audit", h: "/health" };

let going = false;

function off() {
  try {
    return localStorage.getItem("keys") === "off";
  } catch {
    return false;
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") {
    leave();
    return;
  }
  const target = event.target;
  if (target.matches("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
  if (off()) return;
  if (going) {
    going = false;
    if (GO[event.key] && document.querySelector(`.nav a[href="${GO[event.key]}"]`)) location.assign(GO[event.key]);
    return;
  }
  const act = KEYS[event.key];
  if (act && act(target) !== false) event.preventDefault();
});

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: (target) => target.matches(".row") && move(1),
  ArrowUp: (target) => target.matches(".row") && move(-1),
  Enter: (target) => open(target),
  a: () => decide("approve"),
  r: () => decide("reject"),
  g: () => { going = true; setTimeout(() => { going = false; }, 1500); },
  "?": help,
};

function rows() {
  return [...document.querySelectorAll(".row")];
}

function move(step) {
  const all = rows();
  if (all.length === 0) return false;
  const at = all.findIndex((row) => row.hasAttribute("aria-current"));
  const next = all[Math.min(all.length - 1, Math.max(0, at + step))];
  select(next);
  return true;
}

let asked = 0;

/** Selects a row and shows it beside the queue; the address follows, so that reading again shows the same. */
async function select(row) {
  for (const other of rows()) other.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  history.replaceState(null, "", row.href);
  const mine = ++asked;
  const fresh = await read(row.href).catch(() => null);
  if (!fresh || mine !== asked) return;
  replace(fresh, ["detail"]);
  const detail = document.getElementById("detail");
  if (detail) detail.scrollTop = 0;
}

function open(target) {
  // Enter on a link or button is the browser's own; on a row it means the full page.
  const row = target.closest?.(".row") ?? (target === document.body ? document.querySelector(".row[aria-current]") : null);
  if (!row?.dataset.open) return false;
  location.assign(row.dataset.open);
  return true;
}

function decide(what) {
  const decision = document.querySelector(`[data-decide="${what}"]`);
  if (!decision) return false;
  decision.open = true;
  decision.querySelector("input[type=password], [data-confirm], [data-reason]")?.focus();
  return true;
}

function leave() {
  const decision = document.querySelector("details[data-decide][open]");
  if (decision) {
    decision.open = false;
    (document.querySelector(".row[aria-current]") ?? decision.querySelector("summary")).focus();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  const back = document.querySelector(".crumbs a, .back");
  if (back && back.offsetParent !== null) location.assign(back.href);
}

function help() {
  const dialog = document.getElementById("keys");
  if (!dialog) return false;
  const box = dialog.querySelector("[data-keys-off]");
  box.checked = off();
  box.onchange = () => {
    try {
      localStorage.setItem("keys", box.checked ? "off" : "on");
    } catch {
      // Storage is refused: the shortcuts stay on.
    }
  };
  dialog.showModal();
  return true;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keys-help]")) help();
  // A plain click on a row shows it beside the queue where there is room for both.
  const row = event.target.closest(".row");
  if (!row || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  const detail = document.getElementById("detail");
  if (!detail || detail.offsetParent === null) return;
  event.preventDefault();
  select(row);
});
