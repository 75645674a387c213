//! The headers that the gateway reads itself: what leaves is a valid `traceparent` whatever came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::base::Lang;
use sluice::base::ids::{RequestId, hex};
use sluice::web::trace::Trace;

fuzz_target!(|data: &[u8]| {
    let request = RequestId::parse("00112233445566778899aabbccddeeff").unwrap();
    let trace = Trace::join([data].into_iter(), &request);
    let text = trace.to_string();
    assert_eq!(text.len(), 55);
    // Whoever gets it goes on with the same trace, under the span that it names.
    let next = Trace::join([text.as_bytes()].into_iter(), &request);
    assert_eq!(next.to_string(), text);
    assert_eq!(next.parent().map(|parent| hex(&parent)).as_deref(), text.get(36..52));

    let text = std::str::from_utf8(data).ok();
    let lang = Lang::negotiate(text);
    // A reader of one language only gets it.
    assert_eq!(Lang::negotiate(Some(lang.tag())), lang);
});
