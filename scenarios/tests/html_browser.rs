//! The report in a browser: what is drawn and written there is what the run was.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

mod browser;

use browser::Page;

/// Plays a scenario, and gives its page and what `--json` prints.
fn reported(test: &str, arguments: &[&str]) -> (PathBuf, Value) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.html"));
    let mut player = Command::new(env!("CARGO_BIN_EXE_scenario"));
    let output = player.args(arguments).args(["--json", "--report"]).arg(&file).output().expect("the player starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    (file, serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// A scenario file of `services` services that lose Spot for ten minutes.
fn outage(test: &str, title: &str, services: usize) -> PathBuf {
    let mut text = format!("title = {title:?}\nseed = 1\nduration = \"1h\"\n[expect]\nfinal_strategy = \"original\"\n");
    for n in 0..services {
        write!(
            text,
            "[[service]]\naccount = \"111111111111\"\ncluster = \"web\"\nname = \"s{n}\"\ndesired = {}\n\
             strategy = [{{ provider = \"FARGATE_SPOT\", weight = 1 }}]\n",
            1 + n % 3
        )
        .expect("writing to a string does not fail");
    }
    text += "[[at]]\ntime = \"10m\"\nspot = { capacity = 0 }\n[[at]]\ntime = \"20m\"\nspot = { capacity = \"unlimited\" }\n";
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.toml"));
    std::fs::write(&path, text).expect("writable");
    path
}

fn arguments(path: &Path) -> [&str; 1] {
    [path.to_str().expect("UTF-8")]
}

/// `0:10:05.813`.
fn clock(ms: &Value) -> String {
    let ms = ms.as_u64().expect("milliseconds");
    format!("{}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

fn percent(share: &Value) -> String {
    scenarios::verdict::percent(share.as_f64().expect("a share"))
}

/// The area within a path of straight steps, as a function of the page.
const AREA: &str = "const area = (path) => path.split('M').slice(1).reduce((sum, part) => { \
    let [x, y] = part.match(/^[\\d.]+ [\\d.]+/)[0].split(' ').map(Number); \
    const corners = [[x, y]]; \
    for (const [, op, to] of part.matchAll(/([HV])([\\d.]+)/g)) { \
      if (op === 'H') x = Number(to); else y = Number(to); \
      corners.push([x, y]); } \
    const doubled = corners.reduce((sum, [x, y], n) => { \
      const [u, v] = corners[(n + 1) % corners.length]; return sum + x * v - u * y; }, 0); \
    return sum + Math.abs(doubled) / 2; }, 0)";

#[test]
fn what_is_drawn_of_a_service_is_what_the_json_says() {
    let (file, run) = reported("drawn", &["spot-outage"]);
    let mut page = Page::new("drawn");
    page.resize(1280);
    page.open(&file);
    assert_eq!(page.text("h1"), run["title"].as_str().expect("a title"));
    assert!(page.text("#verdict").contains("all 17 expectations hold"));
    assert_eq!(page.text("#replay"), "cargo xtask scenario spot-outage --seed 1");

    // Each row says what the summary says.
    let services = run["services"].as_array().expect("services");
    for service in services {
        let row = format!("[data-service=\"{}\"]", service["service"].as_str().expect("a name"));
        assert_eq!(page.text(&format!("{row} .availability")), percent(&service["availability"]));
    }
    let cells =
        "[...document.querySelectorAll('#summary tbody tr')].map(tr => [...tr.cells].map(td => td.textContent))";
    let rows = page.eval(cells);
    for (row, service) in rows.as_array().expect("rows").iter().zip(services) {
        assert_eq!(row[0], service["service"]);
        assert_eq!(row[4], percent(&service["availability"]));
        assert_eq!(row[6], format!("{:.2}", service["on_demand_task_hours"].as_f64().expect("hours")));
        assert_eq!(row[8], service["deployments_forced"].to_string());
    }

    // A click opens the large chart, which is as full as the service was available.
    let service = "222222222222/batch/thumbnails";
    let of_service = |line: &&Value| line["service"] == service || line["service"].is_null();
    let summary = services.iter().find(|s| s["service"] == service).expect("the service");
    let open = format!("[data-service=\"{service}\"]");
    page.click(&format!("{open} > button"));
    let paths = "[...document.querySelectorAll('.detail .tasks path, .detail .tasks rect')].length";
    assert!(page.eval(paths).as_u64().is_some_and(|paths| paths > 4), "no tasks are drawn");
    let (missing, wanted) = (
        "[...document.querySelectorAll('.detail .tasks :is(.short, .flat)')].reduce((sum, e) => sum + (e.tagName === 'rect' \
         ? e.getAttribute('width') * e.getAttribute('height') : area(e.getAttribute('d'))), 0)",
        "area(document.querySelector('.detail .wanted').getAttribute('d') + 'V' + Math.max(\
         ...[...document.querySelectorAll('.detail line.grid')].map(line => line.getAttribute('y1'))) + 'H66')",
    );
    let share = page.eval(&format!("(() => {{ {AREA}; return 1 - ({missing}) / ({wanted}); }})()"));
    let (drawn, availability) = (share.as_f64().expect("a share"), summary["availability"].as_f64().expect("a share"));
    // The shortest shortages are drawn wider than they were, so that they are seen.
    assert!((availability - drawn).abs() < 0.0005, "drawn {drawn}, in fact {availability}");

    // The list has every line of the timeline, and choosing one says what was then.
    let lines: Vec<&Value> = run["timeline"].as_array().expect("lines").iter().filter(of_service).collect();
    let listed = page.eval("[...document.querySelectorAll('.events time')].map(time => time.textContent)");
    let times: Vec<String> = lines.iter().map(|line| clock(&line["at_ms"])).collect();
    assert_eq!(listed, serde_json::json!(times));
    let failover = lines.iter().position(|line| line["to"] == "FailingOver").expect("it failed over");
    page.click(&format!(".events button:nth-child({})", failover + 1));
    assert_eq!(page.text("[data-of=\"time\"]"), times[failover]);
    assert_eq!(page.text("[data-of=\"phase\"]"), "FailingOver");
    assert_eq!(page.text("[data-of=\"Spot room\"]"), "0 tasks");
    assert_eq!(page.text("[data-of=\"wanted\"]"), "10");
    assert!(page.text(".story").contains("Watching → FailingOver"));

    // Looked at closely the same moment is chosen, and the axis has seconds.
    let labels = "[...document.querySelectorAll('.chart svg text')].map(text => text.textContent)";
    assert!(!page.eval(labels).to_string().contains("0:10:30"));
    page.click("[aria-label=\"Look closer at the failover\"]");
    assert!(page.eval(labels).to_string().contains("0:10:30"), "{}", page.eval(labels));
    assert_eq!(page.text("[data-of=\"time\"]"), times[failover]);
    page.click("[aria-label=\"Look at the whole run\"]");

    // The keyboard goes from change to change, and says the same to those who listen.
    page.eval("document.querySelector('.chart').focus()");
    page.press("End");
    assert_eq!(page.text("[data-of=\"time\"]"), clock(&run["duration_ms"]));
    assert_eq!(page.text("[data-of=\"phase\"]"), summary["phase"].as_str().expect("a phase"));
    assert_eq!(page.text("[data-of=\"missing\"]"), "0");
    page.press("ArrowLeft");
    let spoken = page.eval("document.querySelector('.chart').getAttribute('aria-valuetext')");
    let time = page.text("[data-of=\"time\"]");
    assert!(
        spoken.as_str().is_some_and(|spoken| spoken.starts_with(&time) && spoken.contains("of 10 wanted")),
        "{spoken}"
    );
    assert_ne!(time, clock(&run["duration_ms"]));
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
fn a_comparison_is_a_table_and_a_strip_for_each_automation() {
    let (file, compared) = reported("compared", &["spot-interruption", "--compare"]);
    let mut page = Page::new("compared");
    page.resize(1280);
    page.open(&file);
    assert_eq!(page.text("#replay"), "cargo xtask scenario spot-interruption --seed 1 --compare");
    let cells = "[...document.querySelectorAll('#compare tr')].map(tr => [...tr.cells].map(td => td.textContent))";
    let rows = page.eval(cells);
    assert_eq!(rows[0], serde_json::json!(["", "no automation", "proof of concept", "Spot Recovery"]));
    assert_eq!(rows[1][0], "availability");
    for (n, run) in compared["runs"].as_array().expect("runs").iter().enumerate() {
        assert_eq!(rows[1][n + 1], percent(&run["figures"]["availability"]));
    }
    page.click(".service > button");
    assert_eq!(page.eval("document.querySelectorAll('.detail .tasks').length"), 3);
    assert_eq!(page.eval("document.querySelectorAll('.detail .tasks.other .wanted').length"), 2);
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
fn a_phone_needs_no_scrolling_sideways() {
    let (file, _) = reported("phone", &["spot-outage"]);
    let mut page = Page::new("phone");
    page.resize(390);
    page.open(&file);
    page.click(".service > button");
    assert_eq!(page.eval("document.documentElement.scrollWidth"), 390);
    // A tap says what was then: in the middle of the chart it is about the middle of the three hours.
    page.tap(".chart");
    let time = page.text("[data-of=\"time\"]");
    assert!(time.starts_with("1:1") || time.starts_with("1:2"), "{time}");
    let fits = "[...document.querySelectorAll('h1, .service, .chart svg, #expectations td, #figures > div')]\
                .every(e => { const b = e.getBoundingClientRect(); return b.left >= 0 && b.right <= 390; })";
    assert_eq!(page.eval(fits), true);
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
fn of_five_hundred_services_those_on_the_screen_are_drawn_and_a_search_finds_the_others() {
    let path = outage("five-hundred", "Five hundred", 500);
    let (file, run) = reported("five-hundred", &arguments(&path));
    let mut page = Page::new("five-hundred");
    page.resize(1280);
    page.open(&file);
    let first = page.eval("document.querySelectorAll('svg.strip').length").as_u64().expect("a number");
    assert!((1..250).contains(&first), "{first} are drawn");
    // The least available come first.
    let services = run["services"].as_array().expect("services");
    let worst = services.iter().filter_map(|s| s["availability"].as_f64()).fold(1.0, f64::min);
    assert_eq!(page.text(".service .availability"), scenarios::verdict::percent(worst));
    page.eval(
        "(() => { const e = document.querySelector('input[type=search]'); e.value = 'web/s499'; \
               e.dispatchEvent(new Event('input')); })()",
    );
    let left = "[...document.querySelectorAll('.service')].filter(e => !e.hidden).map(e => e.dataset.service)";
    assert_eq!(page.eval(left), serde_json::json!(["111111111111/web/s499"]));
    page.click(".service:not([hidden]) > button");
    assert!(page.text(".service:not([hidden]) .detail .story").contains("Spot"));
    // Paper has all of them.
    page.eval("dispatchEvent(new Event('beforeprint'))");
    assert_eq!(page.eval("document.querySelectorAll('svg.strip').length"), 500);
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
fn the_system_chooses_light_or_dark_until_a_person_does() {
    let (file, _) = reported("theme", &["spot-interruption"]);
    let mut page = Page::new("theme");
    let dark = serde_json::json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
    page.call("Emulation.setEmulatedMedia", dark);
    page.open(&file);
    let paper = "getComputedStyle(document.body).backgroundColor";
    let night = page.eval(paper);
    page.click("#theme");
    assert_eq!(page.eval(paper), "rgb(255, 255, 255)");
    assert_ne!(night, "rgb(255, 255, 255)");
    page.click("#theme");
    assert_eq!(page.eval(paper), night);
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
fn a_title_is_text_and_never_markup() {
    let title = "</script><script>document.title = 'out'</script><img src=x onerror=alert(1)> & {{data}}";
    let path = outage("markup", title, 1);
    let (file, _) = reported("markup", &arguments(&path));
    let mut page = Page::new("markup");
    page.open(&file);
    assert_eq!(page.text("h1"), title);
    assert_eq!(page.eval("document.title"), title);
    assert_eq!(page.eval("document.querySelectorAll('img').length"), 0);
    // The only service is open at once.
    assert_eq!(page.eval("document.querySelectorAll('.detail').length"), 1);
    assert_eq!(page.complaints(), Vec::<String>::new());
}
