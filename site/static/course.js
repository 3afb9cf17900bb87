// Remembers in this browser which exercises are ticked off and whether results are shown, and prepares printing.
(() => {
  "use strict";
  // Search results quote pages that they fetch, which browsers forbid for pages opened from files.
  if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

  const load = (key, fallback) => {
    try {
      return JSON.parse(localStorage.getItem(key)) ?? fallback;
    } catch {
      return fallback; // nothing is stored, or storing is forbidden
    }
  };
  const save = (key, value) => {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // storing is forbidden: the box works until the page is closed
    }
  };
  const SOLVED = "curriculum-solved";
  const SHOWN = "curriculum-results-shown";

  const showProgress = (solved) => {
    const all = new Set();
    for (const place of document.querySelectorAll(".course-progress")) {
      const names = place.dataset.exercises.split(",").filter(Boolean);
      const count = names.filter((name) => solved[name]).length;
      names.forEach((name) => all.add(name));
      place.textContent = count ? `${count === names.length ? "✓ " : ""}${count} of ${names.length} exercises` : "";
    }
    const total = document.querySelector(".course-total");
    const done = [...all].filter((name) => solved[name]).length;
    if (total && done) total.textContent = `You have ticked off ${done} of ${all.size} exercises.`;
  };

  const start = () => {
    const solved = load(SOLVED, {});
    for (const box of document.querySelectorAll("input[data-exercise]")) {
      box.checked = Boolean(solved[box.dataset.exercise]);
      box.addEventListener("change", () => {
        const now = load(SOLVED, {});
        if (box.checked) now[box.dataset.exercise] = true;
        else delete now[box.dataset.exercise];
        save(SOLVED, now);
      });
    }
    showProgress(solved);

    // The theme's arrows that show the pages below an entry of the sidebar have no name for screen readers.
    for (const arrow of document.querySelectorAll(".bd-sidebar-primary details > summary")) {
      const entry = arrow.closest("li")?.querySelector("a");
      arrow.setAttribute("aria-label", `Pages below ${entry?.textContent.trim() ?? "this entry"}`);
    }

    const results = [...document.querySelectorAll("details.results")];
    const button = document.querySelector('[data-do="open"]');
    const show = (shown) => {
      results.forEach((part) => (part.open = shown));
      if (button) button.textContent = shown ? "Fold all results" : "Show all results";
    };
    if (button) {
      let shown = load(SHOWN, false);
      show(shown);
      button.addEventListener("click", () => {
        shown = !shown;
        save(SHOWN, shown);
        show(shown);
      });
    }
    // A link into a folded part opens it.
    const open = () => {
      let part = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const target = part;
      for (; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
      if (target) target.scrollIntoView();
    };
    addEventListener("hashchange", open);
    open();

    // On paper everything is open.
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = [...document.querySelectorAll("details:not([open])")];
      closed.forEach((part) => (part.open = true));
    });
    addEventListener("afterprint", () => closed.forEach((part) => (part.open = false)));
    document.querySelector('[data-do="print"]')?.addEventListener("click", () => print());
  };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
