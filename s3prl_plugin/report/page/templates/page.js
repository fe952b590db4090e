"use strict";
(() => {
  const config = {
    background: "#ffffff",
    font: "system-ui, 'Segoe UI', Roboto, 'Noto Sans', Arial, sans-serif",
    title: { fontSize: 14, fontWeight: 600, subtitleFontSize: 11.5, subtitleColor: "#59626d" },
    axis: { labelFontSize: 10.5, titleFontSize: 11.5, titleFontWeight: 500, gridColor: "#e3e6ea", domainColor: "#888", tickColor: "#888" },
    legend: { layout: { bottom: { direction: "vertical", anchor: "start", margin: 4 } }, labelFontSize: 11, titleFontSize: 11, titleFontWeight: 500 },
    view: { stroke: null },
  };
  const options = {
    renderer: "svg",
    actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
    scaleFactor: { png: 3 },
    config,
  };
  const views = new Map();
  const boxes = [...document.querySelectorAll("#models input")];
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const failed = (figure, error) => {
    const line = document.createElement("p");
    line.textContent = `This figure could not be drawn: ${error.message}`;
    figure.append(line);
    console.error(error);
  };

  // Figures: drawn one after the other, those in sight first, so that the page can be read at once.
  const waiting = new Set(document.querySelectorAll("figure:has(> .chart)"));
  const name = (text) => text.normalize("NFKD").replace(/[^\w.-]+/g, "_").replace(/^_+|_+$/g, "") || "figure";
  const visible = (figure) => figure.offsetParent !== null;
  async function draw(figure) {
    waiting.delete(figure);
    const place = figure.querySelector(".chart");
    const spec = JSON.parse(figure.querySelector("script").textContent);
    try {
      const made = await vegaEmbed(place, spec, { ...options, downloadFileName: name(place.getAttribute("aria-label")) });
      views.set(figure, made.view);
      await show(made.view);
    } catch (error) {
      failed(figure, error);
    }
  }
  async function show(view) {
    const signals = view.getState({ signals: (signal) => signal === "models", data: () => false }).signals;
    if (boxes.length && "models" in signals) await view.signal("models", chosen()).runAsync();
  }
  const inSight = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.isIntersecting ? inSight.add(entry.target) : inSight.delete(entry.target);
  }, { rootMargin: "300px" });
  waiting.forEach((figure) => watch.observe(figure));
  let busy = false;
  async function work() {
    if (busy) return;
    busy = true;
    for (;;) {
      const next = [...waiting].filter(visible);
      const figure = next.find((each) => inSight.has(each)) || next[0];
      if (!figure) break;
      await draw(figure);
      await new Promise((resolve) => setTimeout(resolve));
    }
    busy = false;
    document.documentElement.dataset.drawn = String(views.size);
  }

  // Models
  function choose() {
    const names = new Set(chosen());
    for (const figure of document.querySelectorAll("figure[data-model]")) figure.hidden = boxes.length > 0 && !names.has(figure.dataset.model);
    for (const view of views.values()) show(view);
    work();
  }
  boxes.forEach((box) => box.addEventListener("change", choose));
  for (const button of document.querySelectorAll("[data-choose]")) {
    button.addEventListener("click", () => {
      boxes.forEach((box) => { box.checked = button.dataset.choose === "all"; });
      choose();
    });
  }
  for (const group of document.querySelectorAll(".view")) {
    const figures = group.parentElement.querySelector(".figures");
    for (const button of group.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        figures.dataset.shows = button.dataset.view;
        for (const other of group.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
        work();
      });
    }
  }

  // Tables: numbers by their value, words as words, empty cells last.
  function value(row, column) {
    const cell = row.cells[column];
    if (!cell) return null;
    const given = cell.dataset.sort;
    if (given === undefined) return cell.textContent.trim() || null;
    const number = given === "-inf" ? -Infinity : Number(given);
    if (number === -Infinity) return null;
    return Number.isNaN(number) ? given : number;
  }
  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  }
  function sort(head) {
    const body = head.closest("table").tBodies[0];
    const column = head.cellIndex;
    const rows = [...body.rows].map((row) => [value(row, column), row]);
    const numbers = rows.some(([each]) => typeof each === "number");
    const before = head.getAttribute("aria-sort");
    const down = before === "none" ? numbers : before === "ascending";
    rows.sort(([a], [b]) => (a === null ? (b === null ? 0 : 1) : b === null ? -1 : (down ? -1 : 1) * compare(a, b)));
    for (const other of head.parentElement.children) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows.map(([, row]) => row));
  }
  for (const button of document.querySelectorAll("thead button")) button.addEventListener("click", () => sort(button.closest("th")));

  // Text to be copied
  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", () => {
      getSelection().selectAllChildren(button.parentElement.nextElementSibling);
      document.execCommand("copy");
    });
  }

  // Theme
  const root = document.documentElement;
  const remembered = { get: () => { try { return localStorage.getItem("theme"); } catch { return null; } }, set: (theme) => { try { localStorage.setItem("theme", theme); } catch { /* a file without storage */ } } };
  if (["light", "dark"].includes(remembered.get())) root.dataset.theme = remembered.get();
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remembered.set(root.dataset.theme);
  });

  choose();
})();
