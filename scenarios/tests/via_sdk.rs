use scenarios::{file, library, play};
use simulator::sdk::CallLimits;
#[test]
fn probe() {
    let only = std::env::var("ONLY").ok();
    for named in library::all() {
        if only.as_ref().is_some_and(|o| *o != named.name) { continue; }
        let scenario = file::load(&named.path).unwrap();
        let scenario = if scenario.world.services.len() > 60 { file::load_scaled(&named.path, 60).unwrap() } else { scenario };
        let t = std::time::Instant::now();
        let native = play::play(scenario.clone()).unwrap();
        let tn = t.elapsed();
        let t = std::time::Instant::now();
        let sdk = play::play_via_sdk(scenario, CallLimits::default()).unwrap();
        let ts = t.elapsed();
        let story = |p: &play::Play| p.outcome.trace.iter().map(|e| format!("{e}")).collect::<Vec<_>>();
        let (a, b) = (story(&native), story(&sdk));
        let first = a.iter().zip(&b).position(|(x, y)| x != y);
        eprintln!("{:34} equal={} audits={} calls {}/{} lens {}/{} holds {}/{} viol {:?} native {tn:?} sdk {ts:?}", named.name, a == b, native.outcome.audits == sdk.outcome.audits, native.outcome.calls, sdk.outcome.calls, a.len(), b.len(), native.holds(), sdk.holds(), sdk.outcome.violations.first());
        if let Some(n) = first { for i in n.saturating_sub(2)..(n+3).min(a.len()).min(b.len()) { eprintln!("   N {}\n   S {}", a[i], b[i]); } }
    }
}
