//! One cell: whoever runs the slot's calls one after the other, and others who cancel.

use super::{Arc, Note};
use crate::{
    cancel::{CancelCell, CancelToken},
    sync::{AtomicBool, Ordering},
};
use loom::thread;

/// A slot's cell, and what happens to it.
struct Calls {
    cell: crate::sync::Arc<CancelCell>,
    /// Even before and after calls, odd while one runs: half of it is the call's index.
    phase: Note,
    /// How many calls are over or about to be.
    ending: Note,
    /// For each call how often it was cancelled.
    hits: [Note; 2],
    /// Whether whoever cancelled the first said so.
    told: AtomicBool,
}

impl Calls {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            cell: crate::sync::Arc::default(),
            phase: Note::default(),
            ending: Note::default(),
            hits: Default::default(),
            told: AtomicBool::new(false),
        })
    }

    fn token(&self) -> CancelToken {
        CancelToken::new(crate::sync::Arc::clone(&self.cell))
    }

    fn begin(&self) {
        self.cell.begin();
        self.phase.add(1);
    }

    /// The rest of a call that has begun: it looks twice, and ends.
    fn finish(&self) {
        let call = self.phase.get() / 2;
        let told = call == 0 && self.told.load(Ordering::Acquire);
        let early = self.cell.is_cancelled();
        assert!(early || !told, "what happened before is seen");
        let late = self.cell.is_cancelled();
        assert!(late || !early, "nothing takes a cancellation back");
        assert!(!late || self.hits[call].get() == 1, "somebody cancelled this very call");
        self.ending.add(1);
        self.cell.end();
        self.phase.add(1);
    }

    fn run(&self) {
        self.begin();
        self.finish();
    }

    fn hit(&self, call: usize) {
        assert_eq!(self.hits[call].add(1), 0, "call {call} is cancelled once");
    }

    /// Cancels with a token of the first call.
    fn cancel_first(&self, token: &CancelToken) {
        if token.cancel() {
            assert!(self.phase.get() < 2, "the first call had not ended");
            self.hit(0);
            self.told.store(true, Ordering::Release);
        } else {
            let is_over = self.phase.get() >= 2;
            assert!(is_over || self.hits[0].get() == 1, "it had ended or was cancelled");
        }
    }

    /// Cancels whatever runs; returns whether something did.
    fn cancel_running(&self) -> bool {
        let is_hit = self.cell.cancel_running();
        if is_hit {
            let phase = self.phase.get();
            assert!(phase % 2 == 1, "a call had begun and had not ended: {phase}");
            self.hit(phase / 2);
        }
        is_hit
    }
}

/// Two with a token of the first call cancel, before, in, between and after two calls.
pub fn two_tokens_of_the_first_call() {
    let calls = Calls::new();
    let token = calls.token();
    let others = [(); 2].map(|()| {
        let (calls, token) = (Arc::clone(&calls), token.clone());
        thread::spawn(move || calls.cancel_first(&token))
    });
    calls.run();
    calls.run();
    for other in others {
        other.join().unwrap();
    }
    assert_eq!(calls.hits[1].get(), 0);
    assert!(!token.cancel(), "late");
    assert!(!calls.cell.is_cancelled());
}

/// One with a token of the first call and one who cancels what runs, against two calls.
pub fn a_token_and_one_who_cancels_what_runs() {
    let calls = Calls::new();
    let (with_token, token) = (Arc::clone(&calls), calls.token());
    let first = thread::spawn(move || with_token.cancel_first(&token));
    let other = Arc::clone(&calls);
    let running = thread::spawn(move || other.cancel_running());
    calls.run();
    calls.run();
    first.join().unwrap();
    running.join().unwrap();
    assert!(!calls.cell.cancel_running(), "nothing runs");
    assert!(!calls.cell.is_cancelled(), "whoever comes next is not concerned");
}

/// As before, where the first call began before the others: who cancels what runs finds it.
pub fn a_call_that_began_before_is_cancelled_or_over() {
    let calls = Calls::new();
    let token = calls.token();
    calls.begin();
    let with_token = Arc::clone(&calls);
    let first = thread::spawn(move || with_token.cancel_first(&token));
    let other = Arc::clone(&calls);
    let running = thread::spawn(move || {
        let is_missed = !other.cancel_running();
        let is_over = other.ending.get() > 0;
        assert!(!is_missed || is_over || other.hits[0].get() == 1, "it was there");
    });
    calls.finish();
    calls.run();
    first.join().unwrap();
    running.join().unwrap();
    assert!(!calls.cell.is_cancelled());
}

/// Two who cancel what runs, against a call with a start function before it and one without.
pub fn two_who_cancel_what_runs() {
    let calls = Calls::new();
    let others = [(); 2].map(|()| {
        let calls = Arc::clone(&calls);
        thread::spawn(move || calls.cancel_running())
    });
    // The start function belongs to the call that the sandbox is made for.
    calls.begin();
    calls.cell.pause();
    calls.cell.begin();
    calls.finish();
    calls.run();
    let hits = others.map(|other| other.join().unwrap());
    let counted = calls.hits.iter().map(Note::get).sum::<usize>();
    assert_eq!(hits.iter().filter(|hit| **hit).count(), counted);
    assert!(!calls.cell.is_cancelled());
}
