// Sets the theme by the system's color scheme, before the page is drawn; daisyUI has no rule for it.
const dark = matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => { document.documentElement.dataset.theme = dark.matches ? "dark" : "light"; };
dark.addEventListener("change", setTheme);
setTheme();
