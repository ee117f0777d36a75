// Runs before the first paint: the chosen theme, or the system's.
"use strict";
document.documentElement.setAttribute(
  "data-bs-theme",
  localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"),
);
