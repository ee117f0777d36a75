"use strict";
// The frame's behaviour: refreshing without jumping, going places, keys. Pages work without any of it.
// Uses kept, keep and showTheme of theme.js.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const root = document.documentElement;

// Requests of htmx: the token that a change needs, and the bare id as the name of the part that is asked for.
document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  ctx.request.headers["X-CSRFToken"] = $("meta[name=csrf-token]").content;
  if (ctx.target?.id) ctx.request.headers["HX-Target"] = ctx.target.id;
});

// Refreshing ---------------------------------------------------------------------------------------------------------
// <section id="x" data-poll="5" [data-poll-url="/there/"] [data-announce="words"]>: asks this page (or there) for the part x.
// Other elements of the answer with an id and data-also are put in place as well.
const parts = new Map();
const STALE_AFTER_MS = 30_000;
const stateOf = (id, everyMs) => {
  if (!parts.has(id)) parts.set(id, { nextAt: Date.now() + everyMs, okAt: Date.now(), failures: 0, busy: false, text: "" });
  return parts.get(id);
};

// A person is at it: under the pointer, being typed into, selected, or opened. Nothing moves then.
function inUse(element) {
  const focus = document.activeElement, selection = getSelection();
  return (
    $("tr:hover, li:hover", element) !== null ||
    (element.contains(focus) && focus.matches("input, select, textarea, button, summary, [contenteditable]")) ||
    (!selection.isCollapsed && element.contains(selection.anchorNode)) ||
    $("details[open], dialog[open]", element) !== null
  );
}

async function refresh(element, { byHand = false } = {}) {
  const everyMs = Number(element.dataset.poll) * 1000, part = stateOf(element.id, everyMs);
  if (part.busy) return;
  part.busy = true;
  try {
    const answer = await fetch(element.dataset.pollUrl || location.href, {
      headers: { "HX-Request": "true", "HX-Target": element.id, "HX-Current-URL": location.href },
      redirect: "manual", signal: AbortSignal.timeout(15_000),
    });
    if (answer.status === 401 || answer.type === "opaqueredirect") return location.reload(); // signed out: to the sign-in
    if (!answer.ok) throw new Error(String(answer.status));
    const text = await answer.text();
    const now = document.getElementById(element.id);
    if (!now || (!byHand && inUse(now))) return void (part.okAt = Date.now());
    if (text !== part.text || now.classList.contains("is-stale")) put(now, text);
    Object.assign(part, { text, failures: 0, okAt: Date.now() });
  } catch {
    part.failures += 1;
  } finally {
    part.busy = false;
    part.nextAt = Date.now() + Math.min(everyMs * 2 ** part.failures, Math.max(everyMs, 60_000));
  }
}

function put(old, text) {
  const answer = new DOMParser().parseFromString(text, "text/html"), fresh = answer.getElementById(old.id);
  if (!fresh) throw new Error("the answer lacks the part");
  const said = old.dataset.announce;
  replace(old, fresh);
  for (const other of $$("[data-also][id]", answer)) {
    const shown = document.getElementById(other.id);
    if (shown && !shown.contains(fresh) && !inUse(shown)) replace(shown, other);
  }
  if (fresh.dataset.announce && fresh.dataset.announce !== said) $("#live").textContent = fresh.dataset.announce;
}

// Puts `fresh` in the place of `old`; what had the focus has it again, and what was scrolled stays where it was.
function replace(old, fresh) {
  const focus = old.contains(document.activeElement) ? document.activeElement : null;
  const scrolled = [old, ...$$("*", old)].map((e, i) => [i, e.scrollLeft, e.scrollTop]).filter(([, x, y]) => x || y);
  old.replaceWith(document.adoptNode(fresh));
  const all = [fresh, ...$$("*", fresh)];
  for (const [i, x, y] of scrolled) all[i]?.scrollTo({ left: x, top: y, behavior: "instant" });
  if (focus) again(focus, fresh)?.focus({ preventScroll: true });
  window.htmx?.process(fresh);
  fresh.dispatchEvent(new CustomEvent("signalbox:swapped", { bubbles: true }));
}

const again = (focus, fresh) =>
  (focus.id && document.getElementById(focus.id)) ||
  $$("a[href]", fresh).find((a) => a.getAttribute("href") === focus.getAttribute("href"));

function tick() {
  const now = Date.now();
  for (const element of $$("[data-poll][id]")) {
    const part = stateOf(element.id, Number(element.dataset.poll) * 1000);
    if (part.failures && now - part.okAt >= STALE_AFTER_MS) markStale(element, now - part.okAt);
    if (now < part.nextAt || document.hidden || isPaused()) continue;
    if (inUse(element)) part.nextAt = now + 500;
    else refresh(element);
  }
}

function markStale(element, forMs) {
  element.classList.add("is-stale");
  const note = $(":scope > .stale-note", element) ?? element.appendChild(Object.assign(document.createElement("p"), { className: "stale-note" }));
  const seconds = Math.floor(forMs / 1000);
  note.textContent = `not refreshed for ${seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`}`;
}

setInterval(tick, 250);
document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });

// Top bar: pause, colours, clock ---------------------------------------------------------------------------------------
const isPaused = () => kept("paused") === "1";
function showPaused() {
  for (const button of $$("[data-pause]")) {
    button.setAttribute("aria-pressed", String(isPaused()));
    button.title = isPaused() ? "Paused: nothing refreshes by itself. Go on" : "Refreshing by itself. Pause";
    button.setAttribute("aria-label", isPaused() ? "Refreshing is paused" : "Pause refreshing");
  }
}
const THEMES = ["system", "light", "dark"];
function showThemeButton() {
  const words = { system: "Colours as the system has them", light: "Light", dark: "Dark" }[root.dataset.theme];
  for (const button of $$("[data-theme-toggle]")) Object.assign(button, { title: words, ariaLabel: words });
}
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-pause], [data-theme-toggle], [data-open]");
  if (!button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (button.matches("[data-pause]")) { keep("paused", isPaused() ? null : "1"); showPaused(); }
  if (button.matches("[data-theme-toggle]")) {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
    keep("theme", next === "system" ? null : next);
    showTheme(); showThemeButton();
  }
  if (button.dataset.open && $(`#${button.dataset.open}`)) { event.preventDefault(); open(button.dataset.open); }
});
addEventListener("storage", () => { showPaused(); showThemeButton(); });

const clock = $("[data-clock]");
const ahead = clock ? Date.parse(clock.dateTime) - Date.now() : 0; // the console's clock counts, not this machine's
setInterval(() => {
  if (clock) clock.textContent = `${new Date(Date.now() + ahead).toISOString().slice(11, 19)} UTC`;
}, 1000);

// Dialogs ---------------------------------------------------------------------------------------------------------------
function open(id) {
  const dialog = $(`#${id}`);
  if (!dialog || $("dialog[open]")) return;
  dialog.showModal();
  if (id === "goto") { $("input", dialog).value = ""; search(""); }
}
document.addEventListener("click", (event) => { if (event.target.matches?.("dialog.sb-dialog")) event.target.close(); }); // beside it

let asked = 0;
async function search(query) {
  const mine = ++asked, list = $("#goto-list"), url = `${$("#goto").dataset.url}?q=${encodeURIComponent(query)}`;
  const answer = await fetch(url, { headers: { Accept: "application/json" } }).catch(() => null);
  if (mine !== asked) return;
  const places = answer?.ok ? (await answer.json()).places : null;
  list.replaceChildren(...(places ?? []).map(line));
  if (!places?.length) list.append(Object.assign(document.createElement("li"), { className: "none", textContent: places ? "Nothing by that name" : "The console does not answer" }));
}
function line(place) {
  const item = document.createElement("li"), link = item.appendChild(document.createElement("a"));
  link.href = place.url;
  for (const [text, name] of [[place.title, "strong"], [place.hint, "ink-3"], [place.environment, "push ink-3"]]) {
    link.append(Object.assign(document.createElement("span"), { className: name, textContent: text }));
  }
  return item;
}
let typed;
$("#goto input")?.addEventListener("input", ({ target }) => { clearTimeout(typed); typed = setTimeout(search, 120, target.value); });
$("#goto")?.addEventListener("keydown", (event) => {
  const links = $$("#goto-list a"), at = links.indexOf(document.activeElement);
  if (event.key === "ArrowDown") (links[at + 1] ?? links[0])?.focus();
  else if (event.key === "ArrowUp") (at > 0 ? links[at - 1] : $("#goto input")).focus();
  else if (event.key === "Enter" && at < 0 && links[0]) links[0].click();
  else return;
  event.preventDefault();
});

// Keys ------------------------------------------------------------------------------------------------------------------
const ROWS = "main tbody tr, main .card-row";
const rowLink = (row) => (row.checkVisibility() ? $("a[href]", row) : null);
function step(by) {
  const links = $$(ROWS).map(rowLink).filter(Boolean);
  const row = document.activeElement?.closest?.(ROWS), at = row ? links.indexOf(rowLink(row)) : -1;
  const next = links[at < 0 && by < 0 ? links.length - 1 : at + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
const KEYS = {
  "/": () => open("goto"),
  "?": () => open("keys"),
  j: () => step(1),
  k: () => step(-1),
  r: () => { const all = $$("[data-poll][id]"); $("main [data-poll]") ? all.forEach((e) => refresh(e, { byHand: true })) : location.reload(); },
  l: () => $("[data-look-on]")?.click(),
  g: () => { gAt = Date.now(); },
};
let gAt = 0;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || kept("keys") === "off") return;
  if (event.target.closest?.("input, textarea, select, [contenteditable], dialog")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const place = Date.now() - gAt < 1200 && $(`[data-go="${CSS.escape(key)}"]`);
  gAt = 0;
  if (!place && !Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  place ? place.click() : KEYS[key]();
});
const single = $("[data-single-keys]");
if (single) {
  single.checked = kept("keys") !== "off";
  single.addEventListener("change", () => keep("keys", single.checked ? null : "off"));
}
showPaused();
showThemeButton();
