//! A call that its host runs piece by piece.

use crate::{
    CallOptions, CancelToken, Error, ErrorKind, HostResult, Output, WasmPluginInstance, WasmValue,
    WasmValues,
    engine::{Bytes, CallLimits, Evidence, ExportedFunction},
    frame::{Frame, Plan, Run},
    host::{Host, HostError, PluginContext},
    report,
    sync::Arc,
    value::TypeList,
};
use alloc::{boxed::Box, format, vec::Vec};
use core::{future::Future, task::Poll};

/// A call that its host runs piece by piece, and may leave, cancel or drop at any point: `Send` and
/// `'static`.
///
/// It has a sandbox of its own from [`start`](WasmPluginInstance::start) to its end. Dropped before
/// its end, it is cancelled, and everything it had is given back.
///
/// The deadline of [`timeout_ms`](crate::WasmPluginCapabilities::timeout_ms) is a point in time: it
/// counts from the first [`run`](Self::run), and goes on while the call is left alone or waits for
/// its host. The fuel is that of any call.
pub struct PluginCall<H: Host = crate::EmbeddedHost> {
    /// Boxed: it is large, and handed around.
    inner: Box<Inner<H>>,
}

struct Inner<H: Host> {
    frame: Frame<H>,
    options: CallOptions,
    input: Vec<u8>,
    answer: Vec<u8>,
}

/// How far a [`PluginCall`] came.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // results are held inline, so that none is allocated
pub enum Progress {
    /// The call has ended, with these results; of a call that was started with bytes, the
    /// [answer](PluginCall::answer) has them.
    Finished(WasmValues),
    /// It spent what it was given, and goes on with the next [`run`](PluginCall::run).
    Running,
    /// A host function answered [`HostError::Pending`] with this ticket. The call goes on once it is
    /// [completed](PluginCall::complete).
    Suspended(u64),
}

impl<H: Host> WasmPluginInstance<H> {
    /// Begins a call of a function by name, of which nothing runs yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FunctionNotFound`], [`ErrorKind::SignatureMismatch`], [`ErrorKind::Busy`],
    /// [`ErrorKind::NotReady`], [`ErrorKind::Unloaded`]; [`ErrorKind::LimitExceeded`] or
    /// [`ErrorKind::Trap`] if a sandbox has to be made and cannot be.
    pub fn start(
        self: &Arc<Self>,
        function: &str,
        args: &[WasmValue],
    ) -> Result<PluginCall<H>, Error> {
        self.start_with(function, args, CallOptions::default())
    }

    /// Begins a call of a function by name, under limits that `options` may narrow.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_with(
        self: &Arc<Self>,
        function: &str,
        args: &[WasmValue],
        options: CallOptions,
    ) -> Result<PluginCall<H>, Error> {
        self.start_plan(Vec::new(), options, |context| {
            let (index, exported) = self.find_in_version(function, context)?;
            report::check_arguments(Some(exported), args)
                .map_err(|error| self.name_error(error, function))?;
            Ok((index, Some(Box::new(args.iter().copied().collect()))))
        })
    }

    /// Begins to hand `input` to a function of the byte convention.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_bytes(
        self: &Arc<Self>,
        function: &str,
        input: &[u8],
        options: CallOptions,
    ) -> Result<PluginCall<H>, Error> {
        let copied = report::copy(input).map_err(|failure| {
            self.failed(function, failure, &options, &Evidence::default(), &self.context())
        });
        self.start_plan(copied?, options, |context| {
            let (index, exported) = self.find_in_version(function, context)?;
            report::check_byte_function(Some(exported))
                .map_err(|error| self.name_error(error, function))?;
            Ok((index, None))
        })
    }

    fn find_in_version<'c>(
        &self,
        function: &str,
        context: &'c PluginContext<H>,
    ) -> Result<(usize, &'c ExportedFunction), Error> {
        context.export(function).ok_or_else(|| report::no_function(self.name(), function))
    }

    /// Begins a call of what `find` finds in a version.
    fn start_plan(
        self: &Arc<Self>,
        input: Vec<u8>,
        options: CallOptions,
        find: impl Fn(&PluginContext<H>) -> Result<(usize, Option<Box<WasmValues>>), Error>,
    ) -> Result<PluginCall<H>, Error> {
        let plan = |context: &PluginContext<H>| {
            let (index, values) = find(context)?;
            let limits = CallLimits::new(&context.config, &options);
            Ok::<_, Error>(Plan { index, values, limits, can_pause: true })
        };
        let context = self.context();
        let planned = plan(&context)?;
        let mut frame = Frame::new(Arc::clone(self), self.take_out()?, planned)?;
        if let Some(context) = frame.reloaded_since(&context) {
            frame.set_plan(plan(&context)?);
        }
        Ok(PluginCall { inner: Box::new(Inner { frame, options, input, answer: Vec::new() }) })
    }
}

impl<H: Host> PluginCall<H> {
    /// Runs the call until it has spent `fuel`, waits for its host, or has ended.
    ///
    /// It may spend somewhat more: one block of guest code, one bulk instruction or one host call is
    /// never divided, and whatever `fuel` is, at least one is run if it is not 0. With 0, only the
    /// deadline and the cancellation are looked at. A plugin that is not metered runs to its end.
    ///
    /// What is spent in all, and every result, is the same however it is divided.
    ///
    /// # Errors
    ///
    /// Those of [`WasmPluginInstance::call`], as the call ends, and [`ErrorKind::Cancelled`];
    /// [`ErrorKind::NotReady`] if it has ended already.
    pub fn run(&mut self, fuel: u64) -> Result<Progress, Error> {
        let Inner { frame, options, input, answer } = &mut *self.inner;
        if frame.has_ended() {
            let what = "the call has ended";
            return Err(Error::host(ErrorKind::NotReady, what).in_plugin(frame.plugin().name()));
        }
        match frame.run(fuel, &mut Bytes { input, answer, max_answer_bytes: usize::MAX }) {
            Run::Paused => Ok(Progress::Running),
            Run::Waiting => match frame.pending() {
                Some((ticket, _)) => Ok(Progress::Suspended(ticket)),
                // What was completed goes on with the next run.
                None => Ok(Progress::Running),
            },
            Run::Ended(Ok(())) => {
                frame.end(Ok(()), false);
                Ok(Progress::Finished(frame.take_results()))
            }
            Run::Ended(Err(failure)) => {
                let function = Box::<str>::from(frame.function());
                let context = frame.context().unwrap_or_else(|| frame.plugin().context());
                let (_, evidence) = frame.end(Err(&failure), true);
                let evidence = evidence.unwrap_or_default();
                Err(frame.plugin().failed(&function, failure, options, &evidence, &context))
            }
        }
    }

    /// Answers the host call that the call is suspended in. It goes on with the next
    /// [`run`](Self::run).
    ///
    /// `answer` gets the function's output: the range of guest memory that the guest gave for it,
    /// checked again, and empty for a function that has none. It returns what the function returns
    /// to the guest, such as the `i32` of a built-in function, or an error, as any host function
    /// does; [`HostError::Pending`] leaves the call suspended, under the new ticket.
    ///
    /// # Errors
    ///
    /// The call is suspended as before, and `answer` has not run: [`ErrorKind::NotFound`] if it is
    /// not suspended, or not with this ticket; [`ErrorKind::SignatureMismatch`] if the host function
    /// returns another type than `R`.
    pub fn complete<R: HostResult>(
        &mut self,
        ticket: u64,
        answer: impl FnOnce(&mut Output<'_>) -> Result<R, HostError>,
    ) -> Result<(), Error> {
        let frame = &mut self.inner.frame;
        let Some((_, results)) = frame.pending().filter(|(pending, _)| *pending == ticket) else {
            let what = format!("no host call is suspended with the ticket {ticket}");
            return Err(self.refused(ErrorKind::NotFound, what));
        };
        if *results != *R::TYPES {
            let (is, given) = (TypeList(results), TypeList(R::TYPES));
            let what = format!("the host function returns {is}; it was answered with {given}");
            return Err(self.refused(ErrorKind::SignatureMismatch, what));
        }
        frame.complete(|call| {
            let output = call.suspended_output()?;
            answer(&mut call.paying(output))
        });
        Ok(())
    }

    #[cold]
    fn refused(&self, kind: ErrorKind, what: alloc::string::String) -> Error {
        Error::host(kind, what).in_plugin(self.plugin().name())
    }

    /// Runs the call to its end as a future, for any executor: it yields after each `fuel` spent, and
    /// awaits what `serve` makes of each ticket.
    ///
    /// What `serve` returns resolves to the answer: a closure as [`complete`](Self::complete) takes
    /// it. Dropping the future drops the call. A deadline that passes while the future waits is
    /// noticed when it goes on; whoever wants it noticed at once races it with a timer.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run) and [`complete`](Self::complete).
    pub async fn finish<R, A, F>(
        mut self,
        fuel: u64,
        mut serve: impl FnMut(u64) -> F,
    ) -> Result<WasmValues, Error>
    where
        R: HostResult,
        A: FnOnce(&mut Output<'_>) -> Result<R, HostError>,
        F: Future<Output = A>,
    {
        loop {
            match self.run(fuel)? {
                Progress::Finished(values) => return Ok(values),
                Progress::Running => yield_now().await,
                Progress::Suspended(ticket) => {
                    let answer = serve(ticket).await;
                    self.complete(ticket, answer)?;
                }
            }
        }
    }

    /// Returns a token that cancels the call, wherever it is.
    pub fn cancel_token(&self) -> CancelToken {
        let frame = &self.inner.frame;
        match frame.has_ended() {
            true => CancelToken::of_nothing(),
            false => frame.plugin().cancel_token(frame.slot()),
        }
    }

    /// Returns the plugin.
    pub fn plugin(&self) -> &Arc<WasmPluginInstance<H>> {
        self.inner.frame.plugin()
    }

    /// Returns the fuel that the call has spent so far, plugins that it called and the start function
    /// of a sandbox that was made for it included.
    pub fn fuel_spent(&self) -> u64 {
        self.inner.frame.used()
    }

    /// Returns when the call must have ended, by the registry's clock in microseconds; nothing
    /// without a timeout, before the function has begun, and after its end.
    pub fn deadline_us(&self) -> Option<u64> {
        self.inner.frame.deadline_us()
    }

    /// Returns whether the call has ended, in whatever way.
    pub fn has_ended(&self) -> bool {
        self.inner.frame.has_ended()
    }

    /// Returns the bytes that a function of the byte convention answered; empty before its end, and
    /// for other functions.
    pub fn answer(&self) -> &[u8] {
        &self.inner.answer
    }
}

/// Lets others run once.
async fn yield_now() {
    let mut has_yielded = false;
    core::future::poll_fn(|context| {
        if core::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<H: Host> core::fmt::Debug for PluginCall<H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PluginCall")
            .field("plugin", &self.plugin().name())
            .field("function", &self.inner.frame.function())
            .field("fuel_spent", &self.fuel_spent())
            .finish_non_exhaustive()
    }
}
