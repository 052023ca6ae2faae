// A link to a claim opens what its mark does.
const openClaim = () => {
  if (!location.hash.startsWith("#claim-")) return;
  let mark = document.getElementById(location.hash.slice(1));
  // several claims may share a mark, which stands behind the places of all but the first
  while (mark && !mark.matches("button")) mark = mark.nextElementSibling;
  mark?.popoverTargetElement?.showPopover();
};
addEventListener("hashchange", openClaim);
document.addEventListener("DOMContentLoaded", openClaim);

// Sorts and searches the ledger in the page; without JavaScript it is a plain table.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.querySelector("table.ledger");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const text = (row, column) => row.cells[column].textContent.trim();

  const search = Object.assign(document.createElement("input"), {
    type: "search", className: "ledger-search", placeholder: "Search the claims",
  });
  search.setAttribute("aria-label", "Search the claims");
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/);
    for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
  });
  (table.closest(".pst-scrollable-table-container") ?? table).before(search);

  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const sort = () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const order = (a, b) => text(a, column).localeCompare(text(b, column), "en", { numeric: true });
      const number = (row) => parseFloat(text(row, column));
      const numeric = rows.some((row) => !Number.isNaN(number(row))) && column >= 2;
      const lacks = (row) => numeric && Number.isNaN(number(row));
      // rows without a number go last, whichever way the others go
      const compare = (a, b) =>
        lacks(a) - lacks(b) || (up ? 1 : -1) * ((numeric && !lacks(a) && number(a) - number(b)) || order(a, b));
      body.append(...[...rows].sort(compare));
    };
    head.tabIndex = 0;
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
});

// What scrolls inside itself can be reached, and scrolled, by keyboard; what fits is no stop on the way.
const reach = () => {
  const boxes = [...document.querySelectorAll(".math > .katex-display, .cell_output > .output, .pst-scrollable-table-container, #fig-chart")];
  // all are measured before any is changed, or the browser would lay out the page once for each
  const wide = boxes.map((box) => box.scrollWidth > box.clientWidth);
  boxes.forEach((box, k) => (wide[k] ? box.setAttribute("tabindex", "0") : box.removeAttribute("tabindex")));
};
addEventListener("load", reach);
addEventListener("resize", reach);

// What the theme's buttons would do by scripts inside the page, which its policy does not admit.
document.addEventListener("DOMContentLoaded", () => {
  const actions = { "window.print()": () => window.print(), "toggleFullScreen()": () => window.toggleFullScreen() };
  for (const button of document.querySelectorAll("[data-action]")) {
    button.addEventListener("click", actions[button.dataset.action]);
  }
});
