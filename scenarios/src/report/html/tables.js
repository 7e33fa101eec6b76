// The numbers of the pictures as tables, the expectations, and the timeline.

function table(columns, rows, attributes = {}) {
  const cell = (tag, [, align], content) => element(tag, { class: align || undefined, scope: tag === "th" ? "col" : undefined }, content);
  return element("table", attributes,
    element("thead", {}, element("tr", {}, ...columns.map((column) => cell("th", column, column[0])))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((content, n) => cell("td", columns[n], content))))));
}

function summaryTable(root) {
  const time = (ms) => (ms === null ? "–" : span(ms));
  const restore = (s) => (s.time_to_restore_ms === null && s.failovers > 0 && !s.taken_away ? "not yet" : time(s.time_to_restore_ms));
  const columns = [["service", "left"], ...["time to failover", "time to restore", "failed restores", "availability", "short for",
    "On-Demand task-hours", "Spot task-hours", "deployments forced", "phase at the end"].map((name) => [name, "figure"])];
  const rows = () => SERVICES.map(({ summary: s }) => [s.service, time(s.time_to_failover_ms), restore(s), String(s.failed_restores),
    percent(s.availability), span(s.time_short_ms), hours(s.on_demand_task_hours), hours(s.spot_task_hours),
    String(s.deployments_forced), s.phase ?? "–"]);
  const write = () => element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Numbers of each service" }, table(columns, rows()));
  folded(root, SERVICES.length > 40, `of ${counted(SERVICES.length, "service", "services")}`, write);
}

function expectationsTable(root) {
  const rows = RUN.expectations.map((v) => [verdict(v.holds), v.service, v.expected, v.found]);
  const columns = [["", "left"], ["service", "left"], ["expected", "left"], ["found", "left found"]];
  root.append(table(columns, rows, { class: "stack" }));
}

const verdict = (holds) => element("strong", { class: holds ? "good" : "bad" }, holds ? "✓ holds" : "✗ BROKEN");

/** What is broken, where nobody overlooks it. */
function broken(root) {
  const expectations = RUN.expectations.filter((v) => !v.holds).map((v) => [v.service, v.expected, v.found]);
  const violations = RUN.violations.map((violation) => ["invariant", violation, ""]);
  root.hidden = expectations.length + violations.length === 0;
  if (!root.hidden) root.append(table([["", "left"], ["expected", "left"], ["found", "left found"]], [...expectations, ...violations], { class: "stack" }));
}

/** What each automation made of the same world, where the run was compared. */
function comparisonTable(root) {
  const { automations, measures } = DATA.comparison ?? {};
  root.hidden = automations === undefined;
  if (root.hidden) return;
  const last = automations.length;
  const columns = [["", "left"], ...automations.map((name, n) => [name, n + 1 === last ? "figure ours" : "figure"])];
  root.append(element("div", { class: "scroll" }, table(columns, measures.map(([name, cells]) => [name, ...cells]))));
}

function timelineTable(root) {
  const when = (line) => {
    const seconds = (ms) => clock(ms).split(".")[0];
    if (line.until_ms === undefined) return clock(line.at_ms);
    return line.until_ms - line.at_ms < SECOND ? seconds(line.until_ms) : `${seconds(line.at_ms)}–${seconds(line.until_ms)}`;
  };
  const phases = (line) => (line.from || line.to ? `${line.from ?? "(none)"} → ${line.to ?? "(none)"}: ` : "");
  const rows = () => RUN.timeline.map((line) => [element("time", {}, when(line)), line.service ?? "everywhere", phases(line) + line.what]);
  const columns = [["time", "left"], ["service", "left"], ["what", "left"]];
  folded(root, RUN.timeline.length > 40, counted(RUN.timeline.length, "line", "lines"), () => table(columns, rows(), { class: "stack" }));
}

/** What `write` makes; if it is `long`, only once somebody asks for it. */
function folded(root, long, title, write) {
  if (!long) {
    root.append(write());
    return;
  }
  const details = element("details", {}, element("summary", {}, title));
  details.addEventListener("toggle", () => details.append(write()), { once: true });
  root.append(details);
}

/** Hyphens at which no line ends. */
const unbroken = (text) => text.replaceAll("-", "\u2011");

function figures(root) {
  const f = RUN.figures;
  const of = (times) => (times ? [span(times.p50_ms), `median of ${times.count === f.episodes ? "" : `${thousands(times.count)} of `}${counted(f.episodes, "episode", "episodes")}; max ${span(times.max_ms)}`] : null);
  const all = [
    ["availability", percent(f.availability), f.time_short_ms > 0 ? `short for ${span(f.time_short_ms)}, ${(f.task_time_missing_ms / MINUTE).toFixed(1)} task-minutes` : "never short"],
    ["time to failover", ...(of(f.time_to_failover) ?? ["–", "no failover"])],
    ["time to restore", ...(of(f.time_to_restore) ?? ["–", "no restore"])],
    ["deployments forced", thousands(f.deployments_forced.total), `at most ${f.deployments_forced.most} on one service`],
    ["task-hours", `${thousands(Math.round(f.spot_task_hours + f.on_demand_task_hours))}`, `${hours(f.spot_task_hours)} Spot, ${hours(f.on_demand_task_hours)} On-Demand`],
    ["cost", dollars(f.cost_usd), `without Spot ${dollars(f.cost_on_demand_alone_usd)}, ${f.prices.region}`],
  ];
  root.append(...all.map(([name, value, more]) => element("div", {},
    element("dt", {}, name), element("dd", {}, value, element("small", {}, unbroken(more))))));
}
