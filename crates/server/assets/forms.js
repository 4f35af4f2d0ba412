// Forms: sent once, said so while under way; dialogs of a decision closed by their cancel buttons; light and dark.

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
  const button = event.submitter;
  // Disabled only after the browser has collected the button's own name and value.
  if (button) setTimeout(() => { button.disabled = true; }, 0);
});

// Coming back by the browser's history finds the forms usable again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
    for (const button of form.querySelectorAll("button:disabled")) button.disabled = false;
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-cancel]")) {
    const decision = event.target.closest("details");
    decision.open = false;
    decision.querySelector("summary").focus();
  }
  if (event.target.closest("[data-theme-toggle]")) toggleTheme();
});

function toggleTheme() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
  root.dataset.theme = next;
  try {
    if (next === system) {
      localStorage.removeItem("theme");
      delete root.dataset.theme;
    } else {
      localStorage.setItem("theme", next);
    }
  } catch {
    // Storage is refused: the choice holds for this page.
  }
}

// An opened decision takes the focus where it is needed: on the confirming button, or in the reason.
document.addEventListener("toggle", (event) => {
  const decision = event.target;
  if (!decision.matches?.("[data-decide]") || !decision.open) return;
  decision.querySelector("input[type=password], [data-confirm], [data-reason]")?.focus();
}, true);
