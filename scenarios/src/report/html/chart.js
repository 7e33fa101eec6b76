// Parts of the pictures: the same for the strip of a row and for the large chart.

/** From times within `view` to `left`..`left + width`. */
function scale(view, left, width) {
  return (at) => left + ((at - view.from) / (view.to - view.from)) * width;
}

const round = (number) => Math.round(number * 100) / 100;

/** An area of steps between two heights per span, as a path. Spans without height leave no trace. */
function area(list, x, bottom, top) {
  let path = "", open = false, back = [];
  const close = () => {
    if (open) path += back.reverse().join("") + "Z";
    open = false;
    back = [];
  };
  for (const span of list) {
    const [low, high] = [round(bottom(span)), round(top(span))];
    if (high >= low) {
      close();
      continue;
    }
    const [left, right] = [round(x(span.from)), round(x(span.to))];
    path += open ? `V${high}H${right}` : `M${left} ${low}V${high}H${right}`;
    back.push(`H${left}`, `V${low}`);
    open = true;
  }
  close();
  return path;
}

/**
 * Running tasks, On-Demand below and Spot on top of it, what is missing hatched above them, and the wanted number as a line.
 * `slim` makes every shortage at least that wide, so that a short one is seen in a long run.
 */
function tasks(service, view, x, y, slim) {
  const list = spans(service.course.counts, view.from, view.to);
  const running = ({ values: [spot, onDemand] }) => spot + onDemand;
  const group = shape("g", { class: "tasks" });
  group.append(
    shape("path", { class: "on-demand", d: area(list, x, () => y(0), ({ values: [, onDemand] }) => y(onDemand)) }),
    shape("path", { class: "spot", d: area(list, x, ({ values: [, onDemand] }) => y(onDemand), (span) => y(running(span))) }),
  );
  // A shortage goes on while any task is missing.
  let shortage = [];
  const close = () => {
    if (shortage.length > 0) group.append(missing(shortage, x, y, running, slim));
    shortage = [];
  };
  for (const span of list) {
    if (span.values[2] > running(span)) shortage.push(span); else close();
  }
  close();
  let line = "";
  for (const span of list) {
    line += `${line === "" ? `M${round(x(span.from))} ` : "V"}${round(y(span.values[2]))}H${round(x(span.to))}`;
  }
  group.append(shape("path", { class: "wanted", d: line }));
  return group;
}

/** The top of a strip: what a deployment starts on top of the wanted is cut off there; the large chart has it in full. */
function slimMost(counts) {
  const most = (of) => counts.reduce((most, values) => Math.max(most, of(values)), 1);
  return Math.min(most(([, spot, onDemand, wanted]) => Math.max(spot + onDemand, wanted)), 1.3 * most(([, , , wanted]) => wanted));
}

/** One shortage, from the running tasks up to the wanted. */
function missing(list, x, y, running, slim) {
  const left = x(list[0].from), width = x(list.at(-1).to) - left;
  const look = { class: width < 5 ? "flat" : "short" };
  if (width >= slim) {
    return shape("path", { ...look, d: area(list, x, (span) => y(running(span)), ({ values: [, , wanted] }) => y(wanted)) });
  }
  const top = Math.min(...list.map(({ values: [, , wanted] }) => y(wanted))), bottom = Math.max(...list.map((span) => y(running(span))));
  return shape("rect", { ...look, x: round(left), width: slim, y: round(top), height: round(bottom - top) });
}

/** The phases of the record as a band. Short ones are at least `slim` wide; where there is room, `write` names them. */
function band(service, view, x, top, height, slim, write) {
  const group = shape("g", { class: "phases" });
  // The short ones last, so that no long one hides them.
  const list = spans(service.course.phases, view.from, view.to).filter(({ values: [phase] }) => phase !== null);
  list.sort((a, b) => b.to - b.from - (a.to - a.from));
  for (const { from, to, values: [phase] } of list) {
    const left = x(from), width = Math.max(x(to) - left, slim);
    group.append(shape("rect", { class: `phase-${phase}`, x: round(left), width: round(width), y: top, height }));
    if (write && width > 7 * phase.length + 8) {
      group.append(shape("text", { class: `on-${phase}`, x: round(left + 5), y: top + height - 4 }, phase));
    }
  }
  return group;
}

/** What a market had: solid while it was unlimited, lower while it was limited, hatched while it had nothing. */
function capacity(list, view, x, top, height) {
  const group = shape("g", { class: "market-lane" });
  const most = Math.max(1, ...list.map(([, tasks]) => tasks ?? 0));
  for (const { from, to, values: [tasks] } of spans(list, view.from, view.to)) {
    const left = x(from), width = Math.max(x(to) - left, 0.5);
    const high = tasks === null ? height : tasks === 0 ? height : Math.max(height * 0.2, (height * 0.8 * tasks) / most);
    group.append(shape("rect", {
      class: tasks === 0 ? "no-capacity" : "capacity", x: round(left), width: round(width), y: round(top + height - high), height: round(high),
    }));
  }
  return group;
}

/** The outline of a kind of mark around `x` and `y`: told apart by shape as well as by colour. */
function outline(kind, x, y) {
  const at = (points) => `M${points.map(([dx, dy]) => `${round(x + dx)} ${round(y + dy)}`).join("L")}Z`;
  switch (kind) {
    case "interrupted": return at([[-5, -4], [5, -4], [0, 5]]);
    case "vanished": return at([[-5, -4], [5, -4], [0, 5], [0, 2], [2.6, -2.4], [-2.6, -2.4], [0, 2], [0, 5]]);
    case "unplaced": case "refused":
      return at([[-5, -3], [-3, -5], [0, -2], [3, -5], [5, -3], [2, 0], [5, 3], [3, 5], [0, 2], [-3, 5], [-5, 3], [-2, 0]]);
    case "recovery": return `M${round(x - 5)} ${round(y)}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z`;
    case "completed": return at([[0, -5], [5, 0], [0, 5], [-5, 0]]);
    case "rolled_back": return at([[5, -5], [5, 5], [-5, 0]]);
    case "owner": return at([[-4.5, -4.5], [4.5, -4.5], [4.5, 4.5], [-4.5, 4.5]]);
    case "phase": return at([[-5, -2], [5, -2], [5, 2], [-5, 2]]);
    default: return at([[0, -5], [5, 4], [-5, 4]]);
  }
}

/** The hatching of what is missing; every picture refers to this one. */
function hatching() {
  const line = shape("path", { d: "M0 0V5", stroke: "var(--short)", "stroke-width": 2 });
  const pattern = shape("pattern", { id: "hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, line);
  return shape("svg", { width: 0, height: 0, style: "position:absolute", "aria-hidden": "true" }, shape("defs", {}, pattern));
}
