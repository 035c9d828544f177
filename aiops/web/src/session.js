/** What this browser remembers: the token for as long as the tab lives, the theme for good. */

const TOKEN = "aiops-token";
const THEME = "aiops-theme";

export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (text) => sessionStorage.setItem(TOKEN, text),
  clear: () => sessionStorage.removeItem(TOKEN),
};

/** @returns {"auto" | "light" | "dark"} */
export function theme() {
  const kept = localStorage.getItem(THEME);
  return kept === "light" || kept === "dark" ? kept : "auto";
}

/** Whether the page is dark now. */
export function isDark() {
  const chosen = theme();
  return chosen === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
}

export function setTheme(chosen) {
  if (chosen === "auto") {
    localStorage.removeItem(THEME);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(THEME, chosen);
    document.documentElement.dataset.theme = chosen;
  }
  dispatchEvent(new Event("aiops:theme"));
}
