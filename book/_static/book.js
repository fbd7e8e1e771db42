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
