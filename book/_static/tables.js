// A table that is wider than its box is set tighter; one that is still too wide becomes a list: a block for each row, in
// which every cell stands beside the name of its column. So no table leaves the screen, at any width.

// pandas writes the names of the index into a row of their own below the head: they fit into the head's empty cells.
function joinHeads(table) {
  const [first, second] = table.tHead ? table.tHead.rows : [];
  const names = second ? [...second.cells].filter((cell) => cell.textContent.trim()) : [];
  if (names.length && names.every((cell) => !first.cells[cell.cellIndex].textContent.trim())) {
    for (const cell of names) {
      first.cells[cell.cellIndex].textContent = cell.textContent;
    }
    second.remove();
  }
}

// Index cells span the rows of their group: each further row gets a copy, which only a list shows. All cells learn the
// name of their column.
function labelCells(table) {
  const head = table.tHead && table.tHead.rows[table.tHead.rows.length - 1];
  const names = head ? [...head.cells].map((cell) => cell.textContent.trim()) : [];
  const carried = [];
  for (const row of table.tBodies.length ? table.tBodies[0].rows : []) {
    const cells = [...row.cells];
    for (let column = 0; column < names.length; column += 1) {
      const above = carried[column];
      if (above && above.left > 0) {
        above.left -= 1;
        const copy = above.cell.cloneNode(true);
        copy.removeAttribute("rowspan");
        copy.className = "carried";
        copy.dataset.label = names[column];
        row.insertBefore(copy, cells[0] || null);
      } else if (cells.length) {
        const cell = cells.shift();
        cell.dataset.label = names[column];
        carried[column] = { cell, left: cell.rowSpan - 1 };
      }
    }
  }
}

// A column with more than a few words in a cell is text, whose lines may break; figures, intervals and names may not.
const fromRight = (cell) => cell.parentElement.cells.length - cell.cellIndex;
const isText = (cell) => cell.textContent.length > 30 && /[a-z]{3}/.test(cell.textContent);
function findWords(table) {
  const columns = new Set([...table.querySelectorAll("td")].filter(isText).map(fromRight));
  for (const cell of columns.size ? table.querySelectorAll("td, thead th") : []) {
    cell.classList.toggle("words", columns.has(fromRight(cell)));
  }
}

const SHOWN = ".bd-article table";
const boxOf = (table) => table.parentElement;
const tooWide = (table) => table.getBoundingClientRect().width > boxOf(table).clientWidth + 1;

// A table and its folded rest share one box: it is wide if either needs it.
function fitTables() {
  const tables = [...document.querySelectorAll(SHOWN)];
  const outputs = new Set(tables.map((table) => table.closest("div.output")).filter(Boolean));
  for (const each of [...tables, ...outputs]) {
    each.classList.remove("wide", "tight", "listed");
  }
  for (const output of outputs) {
    output.classList.toggle("wide", [...output.querySelectorAll("table")].some(tooWide));
  }
  for (const table of tables) {
    for (const measure of ["tight", "listed"]) {
      if (tooWide(table)) {
        table.classList.add(measure);
      }
    }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll(SHOWN)) {
    joinHeads(table);
    findWords(table);
    labelCells(table);
  }
  for (const details of document.querySelectorAll("details.rest")) {
    details.addEventListener("toggle", fitTables);
  }
});
window.addEventListener("load", fitTables);
window.addEventListener("resize", fitTables);
