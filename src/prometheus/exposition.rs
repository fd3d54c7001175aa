//! The text format of Prometheus, version 0.0.4: families, series, labels, values.
//!
//! What a family is called is fixed; what identifies a series may be any text, and is escaped.

use core::fmt::{self, Display, Write};

/// The series of one name, written one after the other.
pub(crate) struct Family<'w> {
    out: &'w mut dyn Write,
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    /// Whether a series was written, and the family's description before it. A family without
    /// series is left out.
    begun: bool,
}

impl<'w> Family<'w> {
    /// A family of `kind`: `counter`, `gauge` or `histogram`.
    pub(crate) fn new(
        out: &'w mut dyn Write,
        name: &'static str,
        kind: &'static str,
        help: &'static str,
    ) -> Self {
        Self { out, name, kind, help, begun: false }
    }

    /// Writes a series of one number.
    pub(crate) fn number(
        &mut self,
        identify: impl Fn(&mut LabelSet<'_>) -> fmt::Result,
        value: impl Display,
    ) -> fmt::Result {
        self.line("", identify, value)
    }

    /// Writes the series of a histogram: `counts` has one more than there are `bounds`, for what is
    /// over all of them.
    pub(crate) fn histogram(
        &mut self,
        identify: impl Fn(&mut LabelSet<'_>) -> fmt::Result,
        bounds: impl IntoIterator<Item = impl Display>,
        counts: &[u64],
        sum: impl Display,
    ) -> fmt::Result {
        let mut bounds = bounds.into_iter();
        let mut total = 0_u64;
        for count in counts {
            total = total.saturating_add(*count);
            let bound = bounds.next();
            let identify = |labels: &mut LabelSet<'_>| {
                identify(labels)?;
                match &bound {
                    Some(bound) => labels.pair("le", bound),
                    None => labels.pair("le", "+Inf"),
                }
            };
            self.line("_bucket", identify, total)?;
        }
        self.line("_sum", &identify, sum)?;
        self.line("_count", &identify, total)
    }

    fn line(
        &mut self,
        suffix: &str,
        identify: impl Fn(&mut LabelSet<'_>) -> fmt::Result,
        value: impl Display,
    ) -> fmt::Result {
        let Self { name, kind, help, .. } = *self;
        if !self.begun {
            self.begun = true;
            write!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}\n")?;
        }
        write!(self.out, "{name}{suffix}")?;
        let mut labels = LabelSet { out: &mut *self.out, open: '{' };
        identify(&mut labels)?;
        labels.close()?;
        writeln!(self.out, " {value}")
    }
}

/// The labels of one series, as they are written.
pub(crate) struct LabelSet<'w> {
    out: &'w mut dyn Write,
    /// What goes before the next label.
    open: char,
}

impl LabelSet<'_> {
    /// Writes a label. The name must be an identifier and not have been written before; an empty
    /// value says the same as no label.
    pub(crate) fn pair(&mut self, name: impl Display, value: impl Display) -> fmt::Result {
        write!(self.out, "{}{name}=\"", self.open)?;
        self.open = ',';
        write!(Escaped(self.out), "{value}")?;
        self.out.write_char('"')
    }

    fn close(self) -> fmt::Result {
        match self.open {
            ',' => self.out.write_char('}'),
            _ => Ok(()),
        }
    }
}

/// Writes text as the format has it between quotes.
struct Escaped<'w>(&'w mut dyn Write);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(['\\', '"', '\n']) {
            let (plain, escape) = match part.as_bytes().last() {
                Some(b'\\') => (part.strip_suffix('\\'), "\\\\"),
                Some(b'"') => (part.strip_suffix('"'), "\\\""),
                Some(b'\n') => (part.strip_suffix('\n'), "\\n"),
                _ => (None, ""),
            };
            self.0.write_str(plain.unwrap_or(part))?;
            self.0.write_str(escape)?;
        }
        Ok(())
    }
}

/// Microseconds, written as seconds, exactly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds(pub(crate) u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A number as the format has it: infinities have a sign and a capital letter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number(pub(crate) f64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            // `Debug` has an exponent where the digits would be many, and `NaN`.
            number => write!(f, "{number:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    #[test]
    fn a_family_is_described_once_before_its_first_series_and_not_at_all_without_one() {
        let mut text = String::new();
        let _ = Family::new(&mut text, "nothing", "gauge", "Nothing.");
        let mut family = Family::new(&mut text, "some_total", "counter", "Some.");
        family.number(|_| Ok(()), 1).unwrap();
        let labels = |labels: &mut LabelSet<'_>| {
            labels.pair("a", "x\\y\"z\nü")?;
            labels.pair(format_args!("b_{}", 2), "")
        };
        family.number(labels, Number(-0.5)).unwrap();
        let expected = "# HELP some_total Some.\n# TYPE some_total counter\nsome_total 1\n\
            some_total{a=\"x\\\\y\\\"z\\nü\",b_2=\"\"} -0.5\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_buckets_of_a_histogram_add_up_and_the_last_is_infinite() {
        let mut text = String::new();
        let mut family = Family::new(&mut text, "h", "histogram", "H.");
        family.histogram(|l| l.pair("a", 1), [1, 10], &[3, 0, 2], Seconds(1_000_020)).unwrap();
        let expected = "# HELP h H.\n# TYPE h histogram\nh_bucket{a=\"1\",le=\"1\"} 3\n\
            h_bucket{a=\"1\",le=\"10\"} 3\nh_bucket{a=\"1\",le=\"+Inf\"} 5\n\
            h_sum{a=\"1\"} 1.000020\nh_count{a=\"1\"} 5\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn numbers_of_every_size_are_short_and_read_back_the_same() {
        let numbers =
            [0.0, -1.5, 1e-6, 0.1, 1e9, f64::MAX, f64::MIN_POSITIVE, 5e-324, f64::EPSILON];
        for number in numbers {
            let text = Number(number).to_string();
            assert_eq!(text.parse(), Ok(number));
            assert!(text.len() < 25, "{text}");
        }
        let special = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(Number);
        assert_eq!(special.map(|number| number.to_string()), ["+Inf", "-Inf", "NaN"]);
    }
}
