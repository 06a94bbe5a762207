"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const promises = all(".promise");
  const search = document.getElementById("search");
  const chapter = document.getElementById("chapter");
  const chips = all(".chip");
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = new Set(chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.verdict));
    let count = 0;
    for (const section of all(".chapter")) {
      let here = 0;
      for (const promise of all(".promise", section)) {
        const fits = (!chapter.value || section.dataset.chapter === chapter.value)
          && (!verdicts.size || verdicts.has(promise.dataset.verdict))
          && words.every((word) => promise.dataset.find.includes(word));
        promise.hidden = !fits;
        here += fits;
      }
      section.hidden = !here;
      count += here;
    }
    nothing.hidden = count > 0;
    shown.textContent = count === promises.length ? `${count} promises` : `${count} of ${promises.length} promises`;
  }

  function clear() {
    search.value = chapter.value = "";
    for (const chip of chips) chip.setAttribute("aria-pressed", "false");
    filter();
  }

  search.addEventListener("input", filter);
  chapter.addEventListener("change", filter);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      filter();
    });
  }
  document.getElementById("clear").addEventListener("click", () => { clear(); search.focus(); });

  const unfold = document.getElementById("unfold");
  unfold.addEventListener("click", () => {
    const open = unfold.getAttribute("aria-pressed") !== "true";
    unfold.setAttribute("aria-pressed", String(open));
    unfold.textContent = open ? "Close all" : "Open all";
    for (const promise of promises) promise.open = open;
  });

  // A link to a promise shows it, whatever is filtered out or closed.
  function reveal() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) clear();
    if (target.matches("details")) target.open = true;
    target.scrollIntoView({ block: "start" });
    (target.querySelector("summary") || target).focus({ preventScroll: true });
  }
  addEventListener("hashchange", reveal);
  reveal();

  const theme = document.getElementById("theme");
  const themes = { "": ["Auto", "colours as the system has them"], light: ["Light", "light colours"], dark: ["Dark", "dark colours"] };
  theme.addEventListener("click", () => {
    const names = Object.keys(themes);
    const next = names[(names.indexOf(document.documentElement.dataset.theme || "") + 1) % names.length];
    document.documentElement.dataset.theme = next;
    theme.textContent = themes[next][0];
    theme.setAttribute("aria-label", themes[next].join(": "));
  });

  addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      clear();
    }
  });

  for (const button of all(".copy")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        // Without the clipboard (a file opened from disk may not use it): select, so that Ctrl-C does it.
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  // On paper there is nothing to open.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = promises.filter((promise) => !promise.open);
    for (const promise of opened) promise.open = true;
  });
  addEventListener("afterprint", () => { for (const promise of opened) promise.open = false; });
})();
