const chosen = localStorage.getItem("mode") || "auto";
document.documentElement.dataset.mode = chosen;
document.documentElement.dataset.theme = chosen !== "auto" ? chosen
  : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
