//! Many calls of many tenants on one core, each tenant with its share.
//!
//! Deficit round robin, in fuel, on two levels: a round credits each tenant by its weight, and a
//! tenant's credit is divided among those of its calls that can run. What a call spent beyond its credit
//! is taken off its next ones, and off its tenant's once it has ended. What it did not need, because it
//! ended or had to wait, is its tenant's in the next round; more than that is never saved up.

mod tenants;

use self::tenants::{Round, Tenants};
use crate::{
    Error, ErrorKind, HostResult, Output, PluginCall, Progress, WasmValues,
    host::{Host, HostError},
};
use alloc::collections::VecDeque;
use core::{fmt, num::NonZeroU32};
use hashbrown::HashMap;

/// So many suspended calls are looked at in one turn.
const LOOKS_PER_TURN: usize = 8;

/// Runs the calls of many tenants on one core, and gives each tenant its share of the fuel.
///
/// The host's loop stays in charge: each [`turn`](Self::turn) runs one call for one slice.
///
/// - In each round a tenant is credited the quantum times its weight, in equal parts for those of its
///   calls that can run; each of them runs once, until it has spent its part.
/// - A call may overrun its part, by a block of guest code, a bulk instruction or a host call. It is
///   taken off the parts that follow, and off its tenant's credit once the call has ended: over many
///   rounds the shares are exact.
/// - Where nobody overruns a whole part, no call that can run waits more than two rounds. A part
///   should be several thousand units of fuel.
/// - What a call leaves of its part, because it ends or has to wait, is added to its tenant's credit in
///   the next round, which at most doubles it: a tenant has its whole share where half of its calls
///   or more use their parts up. No more than that is ever saved up.
/// - Calls that come, or can run again, are credited from the next round on.
///
/// Only fuel counts. A plugin that is not metered runs to its end in one turn and takes no part in any
/// of this.
pub struct Scheduler<H: Host = crate::EmbeddedHost> {
    calls: HashMap<CallId, Entry<H>>,
    tenants: Tenants,
    round: Round,
    /// The calls that are still to run in this round; removed ones may be among them.
    now: VecDeque<CallId>,
    /// Every other call that can run; removed ones may be among them.
    next: VecDeque<CallId>,
    /// Every suspended call, and some that were removed or go on since.
    suspended: VecDeque<CallId>,
    /// How many of the suspended ones are still to be looked at in this round.
    looks: usize,
    /// Whether a call has run in this round.
    has_run: bool,
    last_id: u64,
}

/// Which call of a [`Scheduler`]: no two calls of one scheduler have the same, at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// What a [turn](Scheduler::turn) did.
#[must_use]
#[allow(clippy::large_enum_variant)] // a box would be an allocation for each call
pub enum Turn<H: Host = crate::EmbeddedHost> {
    /// This call spent its credit and goes on in a later turn.
    Ran(CallId),
    /// This call has ended, and is no longer in the scheduler.
    Ended {
        /// Which call.
        id: CallId,
        /// The call itself, which has the [answer](PluginCall::answer) if it was started with bytes.
        call: PluginCall<H>,
        /// What [`PluginCall::run`] said: its results, or why it was stopped.
        result: Result<WasmValues, Error>,
    },
    /// This call waits for its host, with this ticket; said once. It goes on once it is
    /// [completed](Scheduler::complete).
    Suspended(CallId, u64),
    /// No call can run: there is none, or all wait for their host.
    Idle,
}

struct Entry<H: Host> {
    call: PluginCall<H>,
    /// What it had spent when it was last looked at.
    spent: u64,
    /// What it spent beyond its credit.
    debt: u64,
    is_suspended: bool,
    /// Whether it is among those that are looked at; for some time after it was suspended, too.
    is_watched: bool,
}

impl<H: Host> Entry<H> {
    /// Books what was spent since the last time against `credit`, and returns what is left of it.
    fn charge(&mut self, credit: u64) -> u64 {
        let spent = self.call.fuel_spent();
        let debt = self.debt.saturating_add(spent.saturating_sub(self.spent));
        self.spent = spent;
        self.debt = debt.saturating_sub(credit);
        credit.saturating_sub(debt)
    }

    fn tenant(&self) -> &str {
        self.call.plugin().tenant()
    }
}

impl<H: Host> Scheduler<H> {
    /// Returns a scheduler without calls, whose rounds credit each tenant `quantum_fuel` for each unit
    /// of its weight.
    ///
    /// The quantum is how finely the core is divided: a round takes the sum of the weights times the
    /// quantum. Each call's part of it should be several thousand; 0 counts as 1.
    pub fn new(quantum_fuel: u64) -> Self {
        Self {
            calls: HashMap::new(),
            tenants: Tenants::new(),
            round: Round { number: 0, length: 1, quantum: quantum_fuel.max(1) },
            now: VecDeque::new(),
            next: VecDeque::new(),
            suspended: VecDeque::new(),
            looks: 0,
            has_run: false,
            last_id: 0,
        }
    }

    /// Gives a tenant this weight from its next round on, and keeps it also while the tenant has no
    /// calls. Without one it is 1.
    pub fn set_weight(&mut self, tenant: &str, weight: NonZeroU32) {
        self.tenants.set_weight(tenant, weight, self.round);
    }

    /// Takes over a call, which runs from the next round on. What it has spent already is not counted.
    ///
    /// It belongs to the [tenant](crate::WasmPluginInstance::tenant) of its plugin.
    #[allow(clippy::must_use_candidate)] // a turn tells the number too
    pub fn spawn(&mut self, call: PluginCall<H>) -> CallId {
        self.last_id = self.last_id.saturating_add(1);
        let id = CallId(self.last_id);
        let tenant = self.tenants.of(call.plugin().tenant(), self.round);
        tenant.begin_call();
        tenant.begin_running(self.round);
        let spent = call.fuel_spent();
        let entry = Entry { call, spent, debt: 0, is_suspended: false, is_watched: false };
        self.calls.insert(id, entry);
        self.enqueue(id);
        id
    }

    /// Has a call run from the next round on.
    fn enqueue(&mut self, id: CallId) {
        // Removed calls, should many come and go without a turn.
        if self.next.len() > self.calls.len().saturating_mul(2) {
            self.next.retain(|id| self.calls.contains_key(id));
        }
        self.next.push_back(id);
    }

    /// Runs one call until it has spent its credit, waits for its host, or has ended, and says which.
    ///
    /// Suspended calls are looked at as well, and end if their deadline has passed or they were
    /// cancelled: each once in a round, and no more than eight in a turn that runs a call; where no
    /// call can run, all of them. The first that ended is what the turn says, and no other call runs
    /// in it.
    ///
    /// Takes the same time however many calls there are, and allocates nothing that the guests do not
    /// ask for, once the scheduler has had as many calls. Only where a whole round goes by because all
    /// calls overran their parts does it go through those that can run.
    ///
    /// If a host function panics, so does this, as any call does; the call has ended then, and a later
    /// turn says so, with [`ErrorKind::NotReady`].
    pub fn turn(&mut self) -> Turn<H> {
        if let Some(turn) = self.look_at_suspended(LOOKS_PER_TURN) {
            return turn;
        }
        loop {
            while let Some(id) = self.now.pop_front() {
                if let Some(turn) = self.visit(id) {
                    return turn;
                }
            }
            if self.next.is_empty() {
                self.looks = self.suspended.len();
                return self.look_at_suspended(usize::MAX).unwrap_or(Turn::Idle);
            }
            self.begin_round();
        }
    }

    fn begin_round(&mut self) {
        let length = match self.has_run {
            true => 1,
            // All overran: on to the round in which the first of them runs.
            false => self.rounds_to_go(),
        };
        core::mem::swap(&mut self.now, &mut self.next);
        self.round = self.round.next(length);
        self.looks = self.suspended.len();
        self.has_run = false;
    }

    /// After how many rounds a call can run.
    fn rounds_to_go(&self) -> u64 {
        let entries = self.next.iter().filter_map(|id| self.calls.get(id));
        let rounds = entries.filter_map(|entry| {
            let tenant = self.tenants.get(entry.tenant())?;
            Some(tenant.rounds_to_go(entry.debt, self.round))
        });
        rounds.min().unwrap_or(1)
    }

    /// Runs a call, unless it is gone or still owes its whole part of this round.
    fn visit(&mut self, id: CallId) -> Option<Turn<H>> {
        let entry = self.calls.get_mut(&id)?;
        let tenant = self.tenants.get_mut(entry.tenant())?;
        let share = tenant.share(self.round);
        // Here already, and taken out again if need be: a host function may panic.
        self.next.push_back(id);
        let credit = share.saturating_sub(entry.debt);
        if credit == 0 {
            entry.charge(share);
            return None;
        }
        self.has_run = true;
        let progress = entry.call.run(credit);
        let left = entry.charge(share);
        if let Ok(Progress::Running) = progress {
            return Some(Turn::Ran(id));
        }
        tenant.saves(left, self.round);
        self.next.pop_back();
        self.stop(id, progress)
    }

    /// Has a call wait, or lets go of it, as it does not run on.
    fn stop(&mut self, id: CallId, progress: Result<Progress, Error>) -> Option<Turn<H>> {
        let result = match progress {
            Ok(Progress::Suspended(ticket)) => {
                self.suspend(id);
                return Some(Turn::Suspended(id, ticket));
            }
            Ok(Progress::Finished(values)) => Ok(values),
            Ok(Progress::Running) => return None,
            Err(error) => Err(error),
        };
        let call = self.remove(id)?;
        Some(Turn::Ended { id, call, result })
    }

    fn suspend(&mut self, id: CallId) {
        let Some(entry) = self.calls.get_mut(&id) else {
            return;
        };
        entry.is_suspended = true;
        if !core::mem::replace(&mut entry.is_watched, true) {
            self.suspended.push_back(id);
        }
        if let Some(tenant) = self.tenants.get_mut(entry.tenant()) {
            tenant.end_running();
        }
    }

    /// Looks at the next suspended calls of this round, up to one that has ended.
    fn look_at_suspended(&mut self, most: usize) -> Option<Turn<H>> {
        for _ in 0..most.min(self.looks) {
            self.looks = self.looks.saturating_sub(1);
            let id = self.suspended.pop_front()?;
            if let Some(turn) = self.look_at(id) {
                return Some(turn);
            }
        }
        None
    }

    /// Whether a suspended call's deadline has passed, or it was cancelled.
    fn look_at(&mut self, id: CallId) -> Option<Turn<H>> {
        let entry = self.calls.get_mut(&id)?;
        entry.is_watched = entry.is_suspended;
        if !entry.is_suspended {
            return None;
        }
        self.suspended.push_back(id);
        match entry.call.run(0) {
            Ok(Progress::Suspended(_) | Progress::Running) => None,
            ended => {
                self.suspended.pop_back();
                self.stop(id, ended)
            }
        }
    }

    /// Answers the host call that a call is suspended in, as [`PluginCall::complete`] does. The call
    /// runs from the next round on.
    ///
    /// If `answer` says [`HostError::Pending`], a later turn says that the call is suspended, with the
    /// new ticket.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is no such call, or it is not suspended with this ticket;
    /// [`ErrorKind::SignatureMismatch`] if the host function returns another type than `R`. The call
    /// is as before, and `answer` has not run.
    pub fn complete<R: HostResult>(
        &mut self,
        id: CallId,
        ticket: u64,
        answer: impl FnOnce(&mut Output<'_>) -> Result<R, HostError>,
    ) -> Result<(), Error> {
        let entry = self.calls.get_mut(&id).ok_or_else(no_call)?;
        entry.call.complete(ticket, answer)?;
        entry.charge(0);
        if core::mem::replace(&mut entry.is_suspended, false) {
            if let Some(tenant) = self.tenants.get_mut(entry.tenant()) {
                tenant.begin_running(self.round);
            }
            self.enqueue(id);
        }
        Ok(())
    }

    /// Takes a call out of the scheduler and returns it, to run on elsewhere or to be dropped; nothing
    /// if it has ended, or was removed. From the next round on its share is its tenant's other calls',
    /// or else the other tenants'.
    #[allow(clippy::must_use_candidate)] // dropping it cancels it
    pub fn remove(&mut self, id: CallId) -> Option<PluginCall<H>> {
        let mut entry = self.calls.remove(&id)?;
        entry.charge(0);
        if let Some(tenant) = self.tenants.get_mut(entry.tenant()) {
            tenant.end_call();
            if !entry.is_suspended {
                tenant.end_running();
            }
            tenant.owes(entry.debt);
        }
        Some(entry.call)
    }

    /// Returns a call, for what it has spent, its deadline or its cancel token; nothing if it has
    /// ended, or was removed.
    pub fn get(&self, id: CallId) -> Option<&PluginCall<H>> {
        self.calls.get(&id).map(|entry| &entry.call)
    }

    /// Returns how many calls there are, suspended ones included.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Returns whether there is no call.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Returns how many rounds have begun, those in which all calls only made up for what they overran
    /// included.
    pub fn rounds(&self) -> u64 {
        self.round.number
    }
}

#[cold]
fn no_call() -> Error {
    Error::host(ErrorKind::NotFound, "the scheduler has no such call")
}

impl<H: Host> fmt::Debug for Scheduler<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("calls", &self.len())
            .field("rounds", &self.rounds())
            .finish_non_exhaustive()
    }
}

impl<H: Host> fmt::Debug for Turn<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ran(id) => f.debug_tuple("Ran").field(id).finish(),
            Self::Ended { id, result, .. } => f
                .debug_struct("Ended")
                .field("id", id)
                .field("result", result)
                .finish_non_exhaustive(),
            Self::Suspended(id, ticket) => {
                f.debug_tuple("Suspended").field(id).field(ticket).finish()
            }
            Self::Idle => f.write_str("Idle"),
        }
    }
}
