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

// The button that changes the colours shows an icon whose title is set after the page's own scripts have run: its name
// must contain what is seen.
function nameColourButtons() {
  for (const button of document.querySelectorAll(".theme-switch-button")) {
    const seen = [...new Set(button.textContent.split(/\s+/).filter(Boolean))].join(" ");
    button.setAttribute("aria-label", `Color mode ${seen}`.trim());
  }
}
window.addEventListener("load", () => {
  nameColourButtons();
  for (const button of document.querySelectorAll(".theme-switch-button")) {
    new MutationObserver(nameColourButtons).observe(button, { childList: true, subtree: true });
  }
});
