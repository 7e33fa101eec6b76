// The large chart of one service: what ran at any moment, in which phase, and what happened then.

const LANES = [
  ["losses", ["interrupted", "vanished"]],
  ["not placed", ["unplaced", "refused"]],
  ["recovery", ["recovery"]],
  ["deploys", ["completed", "rolled_back"]],
  ["owner", ["owner"]],
  ["around", ["market", "other"]],
];
const GUTTER = 66, PLOT = 150, LANE = 17, OTHER = 62;
/** The closest that one can look. */
const CLOSEST = 2 * SECOND;

function detail(service) {
  const view = { from: 0, to: END };
  const moments = [...new Set([0, END, ...service.course.counts.map(([at]) => at), ...service.course.phases.map(([at]) => at),
    ...service.marks.map(({ at }) => at)])].sort((a, b) => a - b);
  const lanes = LANES.filter(([, kinds]) => service.marks.some(({ kind }) => kinds.includes(kind)));
  // What happened first is what one wants to read first.
  let cursor = service.marks.find(({ kind, far }) => !far && kind !== "phase")?.at ?? 0;
  let brush = null;

  const readout = element("dl", { class: "readout" });
  const story = element("p", { class: "story" });
  const chart = element("div", {
    class: "chart", tabindex: 0, role: "slider", "aria-label": `Moment in the run of ${service.short_name}`,
    "aria-valuemin": 0, "aria-valuemax": END,
  });
  const events = element("div", { class: "events", role: "group", "aria-label": "What happened, in order" });
  const rows = service.marks.map((mark) => {
    const glyph = shape("svg", { viewBox: "-7 -7 14 14", "aria-hidden": "true" }, markAt(mark, 0, 0));
    const row = element("button", { type: "button", class: mark.far ? "far" : undefined },
      element("time", {}, clock(mark.at)), glyph, element("span", {}, mark.what));
    row.addEventListener("click", () => moveTo(mark.at, mark));
    events.append(row);
    return row;
  });

  let width = 0, draw_cursor = () => {};

  function draw() {
    width = chart.clientWidth || 900;
    const plot = width - GUTTER - 8;
    const x = scale(view, GUTTER, plot);
    const top = 24, phases = top + PLOT + 8, first = phases + 18 + 6, marked = first + lanes.length * LANE;
    const others = service.course.others ?? [], bottom = marked + others.length * OTHER;
    const y = (count) => top + PLOT * (1 - count / service.most);
    const svg = shape("svg", { viewBox: `0 0 ${width} ${bottom + 20}`, role: "img", "aria-label": `Tasks of ${service.short_name} over time` });
    const clip = `clip-${service.n}`;
    svg.append(shape("clipPath", { id: clip }, shape("rect", { x: GUTTER, y: 0, width: plot, height: bottom + 20 })));
    const label = (text, y) => shape("text", { x: GUTTER - 8, y, "text-anchor": "end" }, text);
    svg.append(label("Spot room", 13), label("phase", phases + 14));
    for (const count of heights(service.most)) {
      svg.append(shape("line", { class: "grid", x1: GUTTER, x2: width - 8, y1: y(count), y2: y(count) }), label(count, y(count) + 4));
    }
    for (const { at, text } of ticks(view.from, view.to, plot / 64)) {
      const left = x(at);
      svg.append(shape("line", { class: "grid", x1: left, x2: left, y1: top, y2: marked }));
      const anchor = left < GUTTER + 20 ? "start" : left > width - 30 ? "end" : "middle";
      svg.append(shape("text", { x: left, y: bottom + 15, "text-anchor": anchor }, text));
    }
    const drawn = shape("g", { "clip-path": `url(#${clip})` });
    drawn.append(capacity(service.market.spot, view, x, 4, 10), tasks(service, view, x, y, 1.5), band(service, view, x, phases, 18, 2, true));
    lanes.forEach(([name, kinds], n) => {
      const middle = first + n * LANE + LANE / 2;
      svg.append(label(name, middle + 4));
      for (const mark of service.marks) {
        if (!kinds.includes(mark.kind) || mark.at < view.from || mark.at > view.to) continue;
        const node = markAt(mark, x(mark.at), middle);
        node.append(shape("title", {}, `${clock(mark.at)}  ${mark.what}`));
        drawn.append(node);
      }
    });
    // The same world with the other automations, below each other, on the same times.
    others.forEach((counts, n) => {
      const base = marked + (n + 1) * OTHER - 2, high = OTHER - 26;
      const other = { ...service, course: { ...service.course, counts } };
      const most = slimMost(counts);
      svg.append(shape("text", { x: GUTTER, y: base - high - 6 }, `with ${DATA.comparison.automations[n]}`));
      const running = tasks(other, view, x, (count) => base - high * Math.min(count / most, 1), 1.5);
      fill(running, { class: "tasks other" }, []);
      drawn.append(running);
    });
    const line = shape("line", { class: "cursor", y1: 0, y2: bottom });
    const chosen = shape("rect", { class: "brush", y: 0, height: bottom });
    drawn.append(chosen, line);
    svg.append(drawn);
    chart.replaceChildren(svg);
    draw_cursor = () => {
      fill(line, { x1: round(x(cursor)), x2: round(x(cursor)) }, []);
      const [from, to] = brush ? [Math.min(...brush), Math.max(...brush)] : [0, 0];
      fill(chosen, { x: round(x(from)), width: brush ? round(x(to) - x(from)) : 0 }, []);
    };
    tell();
  }

  /** What was at the cursor, in numbers and words. */
  function tell(chosen) {
    draw_cursor();
    const [, spot, onDemand, wanted] = current(service.course.counts, cursor) ?? [0, 0, 0, 0];
    const phase = current(service.course.phases, cursor)?.[1] ?? "no record";
    const [, room] = current(service.market.spot, cursor);
    const facts = [["time", clock(cursor)], ["wanted", wanted], ["Spot", spot], ["On-Demand", onDemand],
      ["missing", Math.max(wanted - spot - onDemand, 0)], ["phase", phase], ["Spot room", capacityText(room)]];
    readout.replaceChildren(...facts.map(([name, value]) => element("div", {},
      element("dt", {}, name), element("dd", { "data-of": name }, String(value)))));
    const near = chosen ?? nearest();
    rows.forEach((row, n) => (service.marks[n] === near ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current")));
    story.replaceChildren(near ? `${clock(near.at)}  ${near.what}` : "");
    const words = `${clock(cursor)}: ${spot} on Spot and ${onDemand} On-Demand of ${wanted} wanted, ${phase}${near ? `. ${near.what}` : ""}`;
    fill(chart, { "aria-valuenow": Math.round(cursor), "aria-valuetext": words }, []);
    return near;
  }

  /** The mark at the cursor or closest before it. */
  function nearest() {
    const reach = ((view.to - view.from) / (width || 900)) * 5;
    const close = service.marks.filter(({ at }) => Math.abs(at - cursor) <= reach);
    if (close.length > 0) return close.reduce((a, b) => (Math.abs(b.at - cursor) < Math.abs(a.at - cursor) ? b : a));
    return service.marks.findLast(({ at }) => at <= cursor);
  }

  function look(from, to) {
    const length = Math.min(Math.max(to - from, CLOSEST), END);
    view.from = Math.min(Math.max(0, from), END - length);
    view.to = view.from + length;
    draw();
  }

  function zoom(factor) {
    const length = (view.to - view.from) * factor;
    const share = Math.min(Math.max((cursor - view.from) / (view.to - view.from), 0), 1);
    look(cursor - length * share, cursor + length * (1 - share));
  }

  function moveTo(at, mark) {
    cursor = Math.min(Math.max(at, 0), END);
    if (cursor < view.from || cursor > view.to) {
      const half = (view.to - view.from) / 2;
      look(cursor - half, cursor + half);
    }
    const near = tell(mark);
    const row = rows[service.marks.indexOf(near)];
    // Within the list alone: the page stays where it is.
    if (row && !mark) events.scrollTop = row.offsetTop - events.offsetTop - events.clientHeight / 2;
  }

  const timeAt = (event) => {
    const box = chart.getBoundingClientRect();
    const share = (event.clientX - box.left - GUTTER) / (box.width - GUTTER - 8);
    return view.from + Math.min(Math.max(share, 0), 1) * (view.to - view.from);
  };
  chart.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") brush = [timeAt(event), timeAt(event)];
    chart.setPointerCapture(event.pointerId);
    moveTo(timeAt(event));
  });
  chart.addEventListener("pointermove", (event) => {
    if (brush) brush[1] = timeAt(event);
    moveTo(timeAt(event));
  });
  chart.addEventListener("pointerup", () => {
    const [from, to] = brush ? [Math.min(...brush), Math.max(...brush)] : [0, 0];
    brush = null;
    // A click is not a selection.
    if ((to - from) / (view.to - view.from) > 0.02) look(from, to); else draw_cursor();
  });
  chart.addEventListener("pointercancel", () => { brush = null; });
  chart.addEventListener("keydown", (event) => {
    const step = {
      ArrowRight: () => moveTo(moments.find((at) => at > cursor) ?? END),
      ArrowLeft: () => moveTo(moments.findLast((at) => at < cursor) ?? 0),
      Home: () => moveTo(0),
      End: () => moveTo(END),
      "+": () => zoom(0.5),
      "-": () => zoom(2),
      0: () => look(0, END),
    }[event.key];
    if (!step) return;
    event.preventDefault();
    step();
  });

  const control = (text, name, act) => {
    const button = element("button", { type: "button", class: "quiet", "aria-label": name }, text);
    button.addEventListener("click", act);
    return button;
  };
  const controls = element("div", { class: "controls" },
    control("+", "Look closer", () => zoom(0.5)), control("−", "Look from farther", () => zoom(2)),
    control("whole run", "Look at the whole run", () => look(0, END)),
    ...windows(service).map(([name, from, to]) => control(name, `Look closer at the ${name}`, () => {
      cursor = from + MINUTE;
      look(from, to);
    })),
    element("span", { class: "hint" }, "drag to look closer · ← → from change to change · + − 0 zoom"));
  const root = element("div", { class: "detail" }, controls, readout, story, chart, events);
  new ResizeObserver(() => { if (chart.clientWidth !== width) draw(); }).observe(chart);
  return root;
}

/** What one most wants to look at closely, from a minute before it: `[name, from, to]`. */
function windows(service) {
  const { phases } = service.course;
  const starts = (name) => phases.flatMap(([at, phase], n) => (phase === name ? [[at, phases[n + 1]?.[0] ?? END]] : []));
  const failover = starts("FailingOver")[0], restore = starts("Restoring").at(-1);
  return [
    ...(failover ? [["failover", failover[0] - MINUTE, failover[0] + 4 * MINUTE]] : []),
    ...(restore ? [["restore", restore[0] - MINUTE, restore[1] + MINUTE]] : []),
  ];
}

/** The heights that get a line: 0, the most, and one between. */
function heights(most) {
  const middle = Math.round(most / 2);
  return [...new Set([0, middle, most])];
}

function markAt(mark, x, y) {
  return shape("path", { class: `mark ${mark.kind}`, d: outline(mark.kind, x, y) });
}
