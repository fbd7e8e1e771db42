// The theme leaves a few parts without a name or role that a screen reader can use, or with one unlike what is seen.
document.addEventListener("DOMContentLoaded", () => {
  for (const summary of document.querySelectorAll("nav summary:not([aria-label])")) {
    summary.setAttribute("aria-label", "Show the pages of this part");
  }
  for (const control of document.querySelectorAll("button[aria-label], a[aria-label], summary[aria-label]")) {
    const seen = control.textContent.trim();
    if (seen && !control.getAttribute("aria-label").includes(seen)) {
      control.removeAttribute("aria-label");
    }
  }
  for (const entry of document.querySelectorAll(".citation-list > .citation")) {
    entry.setAttribute("role", "listitem");
  }
});

// pandas writes the names of the index into a row of their own below the head: they fit into the head's empty cells.
function joinHeads() {
  for (const head of document.querySelectorAll("table.dataframe thead")) {
    const [first, second] = head.rows;
    const names = second ? [...second.cells].filter((cell) => cell.textContent) : [];
    if (names.length && names.every((cell) => !first.cells[cell.cellIndex].textContent)) {
      for (const cell of names) {
        first.cells[cell.cellIndex].textContent = cell.textContent;
      }
      second.remove();
    }
  }
}

// A column with more than a few words in a cell is text, whose lines may break; figures, intervals and names may not.
const fromRight = (cell) => cell.parentElement.cells.length - cell.cellIndex;
const isText = (cell) => cell.textContent.length > 30 && /[a-z]{3}/.test(cell.textContent);
function findWords() {
  for (const table of document.querySelectorAll("table.dataframe")) {
    const columns = new Set([...table.querySelectorAll("td")].filter(isText).map(fromRight));
    for (const cell of columns.size ? table.querySelectorAll("td, thead th") : []) {
      cell.classList.toggle("words", columns.has(fromRight(cell)));
    }
  }
}
document.addEventListener("DOMContentLoaded", () => {
  joinHeads();
  findWords();
});

// A table that does not fit is given the margins; book.css says how much.
function widenTables() {
  for (const table of document.querySelectorAll("div.output > table.dataframe, div.output > div > table.dataframe")) {
    const box = table.closest("div.output");
    box.classList.toggle("wide", box.scrollWidth > box.clientWidth);
  }
}
window.addEventListener("load", widenTables);

// What is wider than its box is scrolled, so the keyboard must reach it. Formulas are set after the page's own scripts
// have run, and a narrower window makes more boxes scroll: all are looked at again.
const WIDE = "pre, div.cell_output, div.output, .pst-scrollable-table-container, div.math, span.katex-display";
function reachWideBoxes() {
  for (const box of document.querySelectorAll(WIDE)) {
    const tall = box.matches("div.output") && box.scrollHeight > box.clientHeight + 1;
    if (tall || box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
    }
  }
}
window.addEventListener("load", reachWideBoxes);
window.addEventListener("resize", reachWideBoxes);
