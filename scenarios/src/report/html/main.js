// The page.

const by = (id) => document.getElementById(id);

function head() {
  by("title").append(RUN.title);
  for (const text of DATA.about.split(/\n\s*\n/)) by("about").append(element("p", {}, text.replace(/\s+/g, " ").trim()));
  const wrong = RUN.expectations.filter((v) => !v.holds).length, total = RUN.expectations.length;
  const violated = RUN.violations.length > 0 ? `, ${counted(RUN.violations.length, "invariant", "invariants")} violated` : "";
  by("verdict").append(RUN.holds ? `✓ all ${total} expectations hold` : `✗ ${wrong} of ${total} expectations are broken${violated}`);
  by("verdict").className = RUN.holds ? "good" : "bad";
  const accounts = new Set(SERVICES.map(({ account }) => account)).size;
  by("run").append(`${counted(DATA.services_in_all, "service", "services")} in ${counted(accounts, "account", "accounts")}, ${span(END)} of virtual time, seed ${RUN.seed}`);
  by("replay").append(DATA.replay);
  by("copy").addEventListener("click", async () => {
    await navigator.clipboard?.writeText(DATA.replay).catch(() => {});
    by("copy").textContent = "Copied";
  });
  if (SERVICES.length < DATA.services_in_all) {
    by("left-out").hidden = false;
    by("left-out").append(`These are the ${thousands(SERVICES.length)} least available of ${thousands(DATA.services_in_all)} services; the figures above are of all, and --json has each.`);
  }
}

/** The system's choice, until somebody chooses; light for paper. */
function theme() {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  const set = (name) => {
    root.dataset.theme = name;
    by("theme").textContent = name === "dark" ? "Light" : "Dark";
    by("theme").setAttribute("aria-label", name === "dark" ? "Use light colours" : "Use dark colours");
  };
  const wish = () => set(chosen ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", wish);
  by("theme").addEventListener("click", () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    wish();
  });
  addEventListener("beforeprint", () => set("light"));
  addEventListener("afterprint", wish);
  wish();
}

theme();
head();
figures(by("figures"));
broken(by("broken"));
legend(by("legend"));
overview(by("overview"), by("tools"));
comparisonTable(by("compare"));
summaryTable(by("summary"));
expectationsTable(by("expectations"));
timelineTable(by("timeline"));
