// All services, a strip each; a strip opens to its large chart.

/** More than this and rows are slim, sorted by the least available, and can be searched; of many more only those in sight are drawn. */
const MANY = 20, VERY_MANY = 60;

function overview(root, tools) {
  const many = SERVICES.length > MANY;
  const lazy = SERVICES.length > VERY_MANY;
  root.classList.toggle("lazy", lazy);
  const height = lazy ? 20 : many ? 26 : SERVICES.length > 3 ? 54 : 74;
  root.style.setProperty("--strip", `${height}px`);
  root.classList.toggle("compact", many);
  root.append(hatching(), axis(), ...lanes());
  const list = element("div", { role: "list" });
  root.append(list);

  const whole = { from: 0, to: END };
  const draw = (row) => {
    const width = row.cell.clientWidth || 700;
    const x = scale(whole, 0, width), bar = many ? 4 : 5, lane = many ? 0 : 11, base = height - lane - bar - 2;
    const svg = shape("svg", { class: "strip", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    const most = slimMost(row.service.course.counts);
    const y = (count) => 1 + (base - 2) * (1 - Math.min(count / most, 1));
    svg.append(tasks(row.service, whole, x, y, 1.5), band(row.service, whole, x, height - lane - bar, bar, 2, false));
    if (lane > 0) svg.append(glyphs(row.service, x, height - lane / 2 + 1));
    row.cell.replaceChildren(svg);
  };
  const waiting = new Map();
  const watcher = new IntersectionObserver((entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
      watcher.unobserve(target);
      draw(waiting.get(target));
      waiting.delete(target);
    }
  }, { rootMargin: "400px" });

  const rows = SERVICES.map((service) => {
    const row = serviceRow(service);
    waiting.set(row.cell, row);
    watcher.observe(row.cell);
    return row;
  });
  const drawAll = () => waiting.forEach((row, cell) => {
    watcher.unobserve(cell);
    draw(row);
    waiting.delete(cell);
  });
  addEventListener("beforeprint", drawAll);

  const orders = {
    least: ["least available first", (a, b) => a.service.summary.availability - b.service.summary.availability || a.service.n - b.service.n],
    file: ["in the file's order", (a, b) => a.service.n - b.service.n],
    name: ["by name", (a, b) => (a.service.summary.service < b.service.summary.service ? -1 : 1)],
  };
  const sort = (order) => list.append(...[...rows].sort(orders[order][1]).map((row) => row.root));
  sort(many ? "least" : "file");
  if (SERVICES.length > 1) {
    const select = element("select", {}, ...Object.entries(orders).map(([order, [text]]) =>
      element("option", { value: order, selected: order === (many ? "least" : "file") }, text)));
    select.addEventListener("change", () => sort(select.value));
    tools.append(element("label", {}, "Order ", select));
  }
  if (many) {
    const search = element("input", { type: "search", placeholder: "account, cluster or service" });
    const found = element("span", { role: "status" });
    search.addEventListener("input", () => {
      const text = search.value.trim().toLowerCase();
      rows.forEach((row) => { row.root.hidden = !row.service.summary.service.toLowerCase().includes(text); });
      const left = rows.filter((row) => !row.root.hidden).length;
      found.textContent = text === "" ? "" : `${thousands(left)} of ${counted(rows.length, "service", "services")}`;
    });
    tools.append(element("label", {}, "Find ", search), found);
  }
  if (!lazy) drawAll();
  // One service is looked at at once.
  if (rows.length === 1) rows[0].open();
}

function serviceRow(service) {
  const { summary } = service;
  const cell = element("div", { class: "strip-cell" });
  const name = element("span", { title: summary.service }, service.short_name, element("small", {}, service.account));
  const button = element("button", {
    type: "button", class: "row", "aria-expanded": "false",
    "aria-label": `${summary.service}: available ${percent(summary.availability)}, short for ${span(summary.time_short_ms)}, ${counted(summary.failovers, "failover", "failovers")}. Show details`,
  },
    element("span", { class: "name" }, name), cell, element("span", { class: "num availability" }, percent(summary.availability)),
    element("span", { class: "num" }, summary.time_short_ms > 0 ? span(summary.time_short_ms) : "–"));
  const root = element("div", { class: "service", role: "listitem", "data-service": summary.service }, button);
  let shown = null;
  const open = () => {
    const opens = shown === null || shown.hidden;
    if (shown === null) root.append((shown = detail(service)));
    shown.hidden = !opens;
    button.setAttribute("aria-expanded", String(opens));
    root.classList.toggle("open", opens);
  };
  button.addEventListener("click", open);
  return { service, root, cell, open };
}

/** What happened to the service itself, small, in the order of how much it matters. */
function glyphs(service, x, y) {
  const kinds = ["completed", "recovery", "owner", "rolled_back", "refused", "unplaced", "vanished", "interrupted"];
  const group = shape("g", { class: "glyphs" });
  for (const kind of kinds) {
    for (const mark of service.marks.filter((mark) => mark.kind === kind && !mark.far)) {
      const node = markAt(mark, 0, 0);
      group.append(fill(node, { transform: `translate(${round(x(mark.at))} ${y}) scale(.72)` }, []));
    }
  }
  return group;
}

function axis() {
  const at = element("div", { class: "ticks strip-cell", "aria-hidden": "true" });
  const write = () => {
    const room = Math.max(2, (at.clientWidth || 700) / 60);
    const all = ticks(0, END, room).filter((tick) => tick.at < END * 0.99);
    at.replaceChildren(...all.map((tick) => element("span", { style: `left:${round((100 * tick.at) / END)}%` }, tick.text)));
  };
  new ResizeObserver(write).observe(at);
  return element("div", { class: "axis" }, element("div", { class: "row" },
    element("span", {}, ""), at, element("span", { class: "num" }, "available"), element("span", { class: "num" }, "short for")));
}

/** The Spot markets of the accounts; those that went the same way are one. */
function lanes() {
  const alike = new Map();
  for (const account of DATA.accounts) {
    const way = JSON.stringify(account.spot);
    alike.set(way, [...(alike.get(way) ?? []), account]);
  }
  const groups = [...alike.values()].sort((a, b) => b.length - a.length);
  const shown = groups.slice(0, 4).map((accounts) => {
    const svg = shape("svg", { viewBox: "0 0 700 8", preserveAspectRatio: "none", "aria-hidden": "true" });
    svg.append(capacity(accounts[0].spot, { from: 0, to: END }, scale({ from: 0, to: END }, 0, 700), 0, 8));
    const whose = groups.length === 1 ? "" : accounts.length === 1 ? ` in ${accounts[0].id}` : ` in ${accounts.length} accounts`;
    return element("div", { class: "market" }, element("div", { class: "row" },
      element("span", {}, `Spot room${whose}`), element("div", { class: "strip-cell" }, svg),
      element("span", { class: "num" }, ""), element("span", { class: "num" }, "")));
  });
  const more = groups.length - shown.length;
  return more > 0 ? [...shown, element("p", { class: "soft" }, `and ${counted(more, "other course", "other courses")} of Spot room`)] : shown;
}

function legend(root) {
  const swatch = (...parts) => shape("svg", { viewBox: "0 0 16 12" }, ...parts);
  const box = (name) => swatch(shape("rect", { class: name, x: 0, y: 1, width: 16, height: 10 }));
  const entry = (picture, text) => element("span", {}, picture, text);
  const marks = [["interrupted", "interruption"], ["vanished", "silent loss"], ["unplaced", "not placed"], ["recovery", "our UpdateService"],
    ["completed", "deployment done"], ["rolled_back", "rollback"], ["owner", "owner"]];
  const happened = new Set(SERVICES.flatMap(({ course }) => course.marks.map(([, kind]) => kind)));
  const phases = new Set(SERVICES.flatMap(({ course }) => course.phases.map(([, phase]) => phase)));
  root.append(
    entry(box("spot"), "Spot tasks"), entry(box("on-demand"), "On-Demand tasks"), entry(box("short"), "missing"),
    entry(swatch(shape("path", { class: "wanted", d: "M0 6H16" })), "wanted"),
    ...PHASES.filter((phase) => phases.has(phase)).map((phase) => entry(box(`phase-${phase}`), phase)),
    ...marks.filter(([kind]) => happened.has(kind)).map(([kind, text]) => entry(swatch(markAt({ kind }, 8, 6)), text)));
}
