// Follows the system's color scheme; loaded before the page is drawn.
const isDark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => { document.documentElement.dataset.theme = isDark.matches ? "dark" : "light"; };
follow();
isDark.addEventListener("change", follow);
