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
  for (const box of document.querySelectorAll("div.cell_output, .pst-scrollable-table-container")) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0; // so that the keyboard can scroll it
    }
  }
  for (const entry of document.querySelectorAll(".citation-list > .citation")) {
    entry.setAttribute("role", "listitem");
  }
});

// Formulas are set after the page's own scripts have run, so they are looked at last.
window.addEventListener("load", () => {
  for (const box of document.querySelectorAll("div.math, span.katex-display")) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
    }
  }
});
