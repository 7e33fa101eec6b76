//! A headless Chromium and one page of it, driven over its DevTools protocol: enough to open a file, click, type and read, and to
//! hear of every error and every request.
//!
//! The protocol is JSON over a WebSocket; the crates that wrap it generate types for all of it, which takes longer to build than
//! these tests take to run.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// Longest wait for an answer of the browser.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Page {
    browser: Child,
    profile: PathBuf,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    calls: u64,
    /// Events that came while an answer was waited for.
    events: Vec<Value>,
}

/// Where Chromium is: `$CHROMIUM`, or where Debian and others install it.
fn chromium() -> PathBuf {
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    let places = std::env::var_os("CHROMIUM").map(PathBuf::from).into_iter().chain(usual);
    places.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "no Chromium here, which the tests of the report open it in: `apt-get install -y chromium` (`cargo xtask test` does \
             that as root on Debian), or set CHROMIUM to the path of one"
        )
    })
}

impl Page {
    /// An empty page of a browser of its own. `name` is the test's, for the browser's files.
    pub(crate) fn new(name: &str) -> Self {
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{name}-{}", std::process::id()));
        let mut browser = Command::new(chromium())
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("Chromium starts");
        let mut said = BufReader::new(browser.stderr.take().expect("piped"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(said.read_line(&mut line).expect("readable"), 0, "Chromium ended before it listened");
            if let Some((_, address)) = line.split_once("DevTools listening on ws://") {
                break address.trim().to_owned();
            }
        };
        // Read to the end, or Chromium waits for a reader.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let (host, _) = address.split_once('/').expect("an address with a path");
        let stream = TcpStream::connect(host).expect("Chromium listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let (socket, _) = tungstenite::client(format!("ws://{address}"), stream).expect("a WebSocket");
        let mut page = Self { browser, profile, socket, session: None, calls: 0, events: Vec::new() };
        let target = page.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = page.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        page.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page
    }

    /// One call of the protocol, and its result.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(call.to_string())).expect("the browser listens");
        loop {
            let message = self.read();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn read(&mut self) -> Value {
        let message = self.socket.read().expect("the browser answers in time");
        serde_json::from_str(message.to_text().expect("text")).expect("JSON")
    }

    /// Opens a file and waits until it is loaded.
    pub(crate) fn open(&mut self, file: &Path) {
        self.call("Page.navigate", json!({ "url": format!("file://{}", file.display()) }));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.read();
            self.events.push(event);
        }
        self.settle();
    }

    /// Lets the page draw: what is observed of sizes and of what is on the screen is told once a frame.
    fn settle(&mut self) {
        self.eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))");
    }

    /// The value of a JavaScript expression in the page; promises are waited for.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.call("Runtime.evaluate", parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// The text of the first element that `selector` finds.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let found = self.eval(&format!("document.querySelector({})?.textContent", json!(selector)));
        found.as_str().unwrap_or_else(|| panic!("nothing is at {selector}")).to_owned()
    }

    /// The middle of the first element that `selector` finds, scrolled to.
    fn middle(&mut self, selector: &str) -> Value {
        self.eval(&format!(
            "(() => {{ const e = document.querySelector({}); e.scrollIntoView({{ block: 'center' }}); \
             const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }})()",
            json!(selector)
        ))
    }

    /// Taps with a finger there.
    pub(crate) fn tap(&mut self, selector: &str) {
        let middle = self.middle(selector);
        let touched = json!({ "type": "touchStart", "touchPoints": [{ "x": middle[0], "y": middle[1] }] });
        self.call("Input.dispatchTouchEvent", touched);
        self.call("Input.dispatchTouchEvent", json!({ "type": "touchEnd", "touchPoints": [] }));
        self.settle();
    }

    /// Clicks with the mouse there.
    pub(crate) fn click(&mut self, selector: &str) {
        let middle = self.middle(selector);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
        self.settle();
    }

    /// Presses a key, such as `ArrowRight` or `Enter`.
    pub(crate) fn press(&mut self, key: &str) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", json!({ "type": kind, "key": key, "code": key, "text": text }));
        }
    }

    /// Gives the page this width, in pixels, and the height of a screen.
    pub(crate) fn resize(&mut self, width: u32) {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Errors, warnings and requests beyond the file itself, from the beginning.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // What is under way comes before the answer.
        self.eval("new Promise(done => setTimeout(done, 0)).then(() => 0)");
        let complaint = |event: &Value| {
            let parameters = &event["params"];
            let bad = match event["method"].as_str()? {
                "Runtime.exceptionThrown" | "Log.entryAdded" => true,
                "Runtime.consoleAPICalled" => parameters["type"] != "log",
                "Network.requestWillBeSent" => !parameters["request"]["url"]
                    .as_str()
                    .is_some_and(|url| url.starts_with("file://") && url.ends_with(".html")),
                _ => false,
            };
            bad.then(|| parameters.to_string())
        };
        self.events.iter().filter_map(complaint).collect()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
