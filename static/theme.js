"use strict";
// Runs before the first paint, so that nothing flashes: the chosen colours, or the system's when none were chosen.
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const keep = (name, value) => { try { value === null ? localStorage.removeItem(name) : localStorage.setItem(name, value); } catch { /* private mode */ } };
const showTheme = () => {
  const chosen = kept("theme");
  document.documentElement.dataset.theme = chosen || "system";
  document.documentElement.dataset.bsTheme = chosen || (systemDark.matches ? "dark" : "light");
};
document.documentElement.classList.add("js");
systemDark.addEventListener("change", showTheme);
addEventListener("storage", showTheme);
showTheme();
