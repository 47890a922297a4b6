"use strict";
(() => {
  const root = document.documentElement;
  const tip = document.getElementById("tip");

  // Light and dark: the system decides until somebody does; a page from disk may have no storage.
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const named = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  if (stored() === "dark" || stored() === "light") root.dataset.theme = stored();
  theme.hidden = false;
  named();
  system.addEventListener("change", named);
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* it then lasts as long as the page */ }
    named();
  });

  // The words of a mark: at the pointer, or by arrow keys.
  let on = null;
  const hide = () => { tip.classList.remove("shown"); if (on) on.classList.remove("on"); on = null; };
  const show = (mark) => {
    if (on !== mark) hide();
    on = mark;
    mark.classList.add("on");
    tip.textContent = mark.dataset.tip;
    const at = mark.getBoundingClientRect();
    const left = Math.min(at.right + 10, innerWidth - tip.offsetWidth - 8);
    const above = at.top - tip.offsetHeight - 8;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above > 8 ? above : at.bottom + 8}px`;
    tip.classList.add("shown");
  };
  const nearest = (plot, event) => {
    let best = null;
    let least = 24;
    for (const mark of plot.querySelectorAll(".wide [data-tip]")) {
      const box = mark.getBoundingClientRect();
      const far = Math.hypot(event.clientX - (box.left + box.right) / 2, event.clientY - (box.top + box.bottom) / 2);
      if (far < least) { least = far; best = mark; }
    }
    return best;
  };
  for (const plot of document.querySelectorAll(".plot")) {
    let at = -1;
    plot.addEventListener("pointermove", (event) => {
      const mark = event.target.closest("[data-tip]") || nearest(plot, event);
      if (mark) show(mark); else hide();
    });
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      const marks = plot.querySelectorAll(".wide [data-tip]");
      if (!marks.length) return;
      event.preventDefault();
      at = (at + step + marks.length) % marks.length;
      show(marks[at]);
    });
  }

  // Sorting: a heading becomes a button.
  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.sort ?? cell.textContent.trim();
    const number = Number.parseFloat(text.replace(/,/g, ""));
    return Number.isNaN(number) ? text : number;
  };
  const order = (a, b) => {
    if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
    return typeof a === "number" ? -1 : 1;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
        rows.sort((a, b) => order(a[0], b[0]) * (up ? 1 : -1));
        table.tBodies[0].append(...rows.map((row) => row[1]));
      });
    });
  }

  // Filtering the runs: every word must be in the row.
  const input = document.getElementById("filter");
  if (input) {
    const rows = [...document.getElementById("all").tBodies[0].rows];
    const count = document.getElementById("count");
    input.closest(".filter").hidden = false;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        left += row.hidden ? 0 : 1;
      }
      count.textContent = `${left} of ${rows.length}`;
    });
  }

  // On paper everything is unfolded.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
})();
