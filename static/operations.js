"use strict";
// The guard of a plan: the button is grey until all that is asked for is there, and the footer says what is missing. The server
// asks again, so pages work without this.
(() => {
  const missing = (form) =>
    [...form.querySelectorAll("[data-demand]")].filter((item) => !isMet(item)).map((item) => item.querySelector("b").textContent);

  function isMet(item) {
    const field = item.querySelector("textarea, input");
    if (!field) return item.classList.contains("met");
    const text = field.value.trim();
    return field.dataset.wanted ? text === field.dataset.wanted : text.length >= field.minLength;
  }

  function show(form) {
    const button = form.querySelector("[data-guard-button]");
    if (!button) return;
    button.dataset.blocked ??= button.disabled ? "1" : "";
    const lacks = missing(form);
    button.disabled = Boolean(button.dataset.blocked) || lacks.length > 0;
    form.querySelector("[data-guard-missing]").textContent = lacks.length ? `Waits for: ${lacks.join(", ").toLowerCase()}.` : "";
    for (const item of form.querySelectorAll("[data-demand]")) {
      if (!item.querySelector("textarea, input")) continue;
      item.classList.toggle("met", isMet(item));
      item.classList.toggle("unmet", !isMet(item));
      item.querySelector("[data-demand-state]").textContent = isMet(item) ? "met" : "not yet";
    }
  }

  const all = () => document.querySelectorAll("form[data-guard]").forEach(show);
  document.addEventListener("input", (event) => { const form = event.target.closest?.("form[data-guard]"); if (form) show(form); });
  document.addEventListener("signalbox:swapped", all);
  // A second press of a button that was pressed leads to the same run; a grey one says so at once.
  document.addEventListener("submit", ({ target, submitter }) => {
    if (target.matches("form[data-guard]") && submitter?.matches("[data-guard-button]")) setTimeout(() => { submitter.disabled = true; });
  });
  addEventListener("pageshow", all);
  all();
})();
