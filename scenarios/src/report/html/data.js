// The data of the run, and how its numbers are written: as the text report writes them.

const DATA = JSON.parse(document.getElementById("data").textContent);
const RUN = DATA.run;
const END = RUN.duration_ms;
const PHASES = ["Watching", "FailingOver", "OnDemand", "Restoring", "Held"];
const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

const SERVICES = RUN.services.map((summary, n) => {
  const [account, cluster, ...name] = summary.service.split("/");
  const course = DATA.courses[n];
  const far = DATA.world.filter(([, , , accounts]) => accounts.length === 0 || accounts.includes(course.account));
  return {
    n, summary, account, course,
    short_name: `${cluster}/${name.join("/")}`,
    market: DATA.accounts[course.account],
    most: course.counts.reduce((most, [, spot, onDemand, wanted]) => Math.max(most, spot + onDemand, wanted), 1),
    /** What happened to it, and around it: `{ at, kind, what, far }`, in order. */
    marks: [
      ...course.marks.map(([at, kind, text]) => ({ at, kind, what: DATA.texts[text], far: false })),
      ...far.map(([at, kind, text]) => ({ at, kind, what: DATA.texts[text], far: true })),
    ].sort((a, b) => a.at - b.at || Number(b.far) - Number(a.far)),
  };
});

/** The last of `list` (each begins with its time) that began at `at` or before; undefined before the first. */
function current(list, at) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle][0] <= at) low = middle + 1; else high = middle;
  }
  return list[low - 1];
}

/** `list` as spans within `from` and `to`: `{ from, to, values }`, without the times. */
function spans(list, from, to) {
  const all = [];
  list.forEach(([start, ...values], n) => {
    const end = n + 1 < list.length ? list[n + 1][0] : END;
    if (end > from && start < to) all.push({ from: Math.max(start, from), to: Math.min(end, to), values });
  });
  return all;
}

const two = (number) => String(number).padStart(2, "0");

/** `0:10:05.813`. */
function clock(ms) {
  const s = Math.floor(ms / SECOND);
  return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}.${String(Math.floor(ms % SECOND)).padStart(3, "0")}`;
}

/** `3.2s`, `41m 7s`. */
function span(ms) {
  if (ms < MINUTE && ms % SECOND > 0) return `${(ms / SECOND).toFixed(1)}s`;
  const s = Math.floor(ms / SECOND);
  const parts = [[Math.floor(s / 3600), "h"], [Math.floor(s / 60) % 60, "m"], [s % 60, "s"]];
  return parts.filter(([n]) => n > 0).map(([n, unit]) => n + unit).join(" ") || "0s";
}

/** `99.87%`, never rounded up to 100%. */
function percent(share) {
  const hundredths = Math.floor(share * 10000);
  return hundredths % 100 === 0 ? `${hundredths / 100}%` : `${(hundredths / 100).toFixed(2)}%`;
}

const dollars = (amount) => (amount < 1 ? `$${amount.toFixed(3)}` : `$${amount.toFixed(2)}`);
const hours = (amount) => (amount < 1000 ? amount.toFixed(2) : thousands(Math.round(amount)));
const thousands = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");
const counted = (number, one, many) => `${thousands(number)} ${number === 1 ? one : many}`;
const capacityText = (tasks) => (tasks === null ? "unlimited" : counted(tasks, "task", "tasks"));

/** Round times for an axis of about `wanted` ticks from `from` to `to`, as `{ at, text }`. */
function ticks(from, to, wanted) {
  const steps = [1, 2, 5, 10, 15, 30].map((n) => n * SECOND)
    .concat([1, 2, 5, 10, 15, 30].map((n) => n * MINUTE), [1, 2, 3, 4, 6, 12].map((n) => n * HOUR), [1, 2, 5, 7].map((n) => n * DAY));
  const step = steps.find((step) => (to - from) / step <= wanted) ?? 14 * DAY;
  const all = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const [minute] = clock(at).split(".");
    all.push({ at, text: step < MINUTE ? minute : minute.slice(0, -3) });
  }
  return all;
}

/** An HTML element; `children` are elements and texts, and a text is never markup. */
function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
function shape(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}
