//! Bars in groups, as SVG.

use crate::case::Runtime;
use plotters::{
    coord::{
        Shift,
        ranged1d::{Ranged, ValueFormatter},
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::{error::Error, path::Path};

const SIZE: (u32, u32) = (1100, 440);
/// How wide the names of the series are, at the right.
const LEGEND: u32 = 210;
const FONT: &str = "sans-serif";

/// A plot.
pub(super) struct Bars {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    pub(super) logarithmic: bool,
    pub(super) groups: Vec<String>,
    pub(super) series: Vec<Series>,
}

/// The bars of a runtime: one in each group, none where a value is not finite.
pub(super) struct Series {
    pub(super) runtime: Runtime,
    pub(super) name: String,
    pub(super) values: Vec<f64>,
}

/// Draws a plot into a file.
pub(super) fn draw(path: &Path, bars: &Bars) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let most = bars.values().fold(1.0, f64::max);
    if bars.logarithmic {
        // Bars begin below the smallest value, at a power of ten.
        let least = bars.values().fold(f64::INFINITY, f64::min);
        let floor = 10_f64.powf((least * 0.9).log10().floor());
        on(&area, bars, (floor..most * 1.6).log_scale(), floor)?;
    } else {
        on(&area, bars, 0.0..most * 1.1, 0.0)?;
    }
    area.present()?;
    Ok(())
}

impl Bars {
    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        let values = self.series.iter().flat_map(|series| series.values.iter().copied());
        values.filter(|value| value.is_finite())
    }
}

fn on<Y>(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    bars: &Bars,
    scale: impl plotters::coord::ranged1d::AsRangedCoord<CoordDescType = Y, Value = f64>,
    floor: f64,
) -> Result<(), Box<dyn Error>>
where
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let groups = bars.groups.len();
    let mut chart = ChartBuilder::on(area)
        .caption(bars.title, (FONT, 22))
        .margin(12)
        .margin_right(LEGEND)
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..groups as f64, scale)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .y_desc(bars.unit)
        .y_label_formatter(&|value| format!("{value}"))
        .label_style((FONT, 14))
        .draw()?;
    // A group takes 0.84 of its place, so that there is air between groups.
    let width = 0.84 / bars.series.len() as f64;
    for (at, series) in bars.series.iter().enumerate() {
        let colour = colour(series.runtime);
        let bar = |(group, value): (usize, &f64)| {
            let left = group as f64 + 0.08 + at as f64 * width;
            Rectangle::new([(left, floor), (left + width * 0.92, *value)], colour.filled())
        };
        let values = series.values.iter().enumerate().filter(|(_, value)| value.is_finite());
        chart.draw_series(values.map(bar))?;
    }
    names(area, &chart, bars, floor)?;
    legend(area, bars)
}

/// The series' names beside the bars.
fn legend(area: &DrawingArea<SVGBackend<'_>, Shift>, bars: &Bars) -> Result<(), Box<dyn Error>> {
    let style = (FONT, 14).into_text_style(area).pos(Pos::new(HPos::Left, VPos::Center));
    let left = (SIZE.0 - LEGEND + 16) as i32;
    for (at, series) in bars.series.iter().enumerate() {
        let middle = 70 + 24 * at as i32;
        let square = [(left, middle - 6), (left + 12, middle + 6)];
        area.draw(&Rectangle::new(square, colour(series.runtime).filled()))?;
        area.draw_text(&series.name, &style, (left + 20, middle))?;
    }
    Ok(())
}

/// The groups' names below their bars.
fn names<X, Y>(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    chart: &ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    bars: &Bars,
    floor: f64,
) -> Result<(), Box<dyn Error>>
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    let style = (FONT, 15).into_text_style(area).pos(Pos::new(HPos::Center, VPos::Top));
    for (group, name) in bars.groups.iter().enumerate() {
        let (x, y) = chart.backend_coord(&(group as f64 + 0.5, floor));
        area.draw_text(name, &style, (x, y + 10))?;
    }
    Ok(())
}

/// Colours that differ for people who see red and green alike.
fn colour(runtime: Runtime) -> RGBColor {
    match runtime {
        Runtime::Raw => RGBColor(153, 153, 153),
        Runtime::Ours => RGBColor(0, 114, 178),
        Runtime::Pulley => RGBColor(230, 159, 0),
        Runtime::Tinywasm => RGBColor(86, 180, 233),
        Runtime::Wasm3 => RGBColor(0, 158, 115),
        Runtime::Wamr => RGBColor(204, 121, 167),
        Runtime::Cranelift => RGBColor(213, 94, 0),
        Runtime::Native => RGBColor(0, 0, 0),
    }
}
