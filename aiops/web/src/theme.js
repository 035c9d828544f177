// Runs before the first paint, so that nobody sees the wrong theme flash by. "auto" follows the system.
(() => {
  let chosen = "auto";
  try {
    chosen = localStorage.getItem("aiops-theme") ?? "auto";
  } catch {
    // Storage may be switched off; the system's theme will do.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
