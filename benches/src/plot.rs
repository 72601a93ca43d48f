//! The plot: transfers per second as bars, a panel for each workload, all with the same scale.

use std::fmt::Write as _;

use crate::{
    number::{float, rounded, wide},
    stage::Case,
    stats::Spread,
    summary::Summary,
    system::System,
    workload::Workload,
};

const PANEL_WIDTH: f64 = 1_000.0;
const PANEL_HEIGHT: f64 = 230.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 76.0;
const PANEL_GAP: f64 = 66.0;
const BOTTOM: f64 = 30.0;
const GROUP_GAP: f64 = 26.0;
const BAR_WIDTH_MAX: f64 = 60.0;

/// A bar.
struct Bar {
    system: System,
    rate: Spread,
}

/// The bars of one number of connections.
struct Group {
    label: String,
    bars: Vec<Bar>,
}

const fn colour(system: System) -> &'static str {
    match system {
        System::COURSE => "#b0b7bf",
        System::SINGLE => "#6b7680",
        System::Http => "#c2410c",
        System::Bank => "#f59e0b",
        System::Batch(10) => "#9bd3c7",
        System::Batch(100) => "#3fa796",
        System::Batch(_) => "#0f6b5c",
    }
}

/// The plot as a document.
pub(crate) fn svg(summary: Summary<'_>, caption: &str) -> String {
    let panels: Vec<(Workload, Vec<Group>)> = Workload::ALL
        .into_iter()
        .map(|workload| (workload, groups(summary, workload)))
        .filter(|(_, groups)| !groups.is_empty())
        .collect();
    let height = float(wide(panels.len())).mul_add(PANEL_HEIGHT + PANEL_GAP, TOP + BOTTOM);
    let width = LEFT + PANEL_WIDTH + RIGHT;
    let mut text = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="12" fill="#24292f">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="{LEFT}" y="24" font-size="17" font-weight="600">Transfers per second, by number of connections</text>
"##
    );
    legend(&mut text, &panels);
    let highest = panels.iter().flat_map(|(_, groups)| groups).flat_map(|group| &group.bars);
    let scale = Scale::up_to(highest.map(|bar| bar.rate.max).fold(1.0, f64::max));
    for (number, (workload, groups)) in panels.iter().enumerate() {
        let top = float(wide(number)).mul_add(PANEL_HEIGHT + PANEL_GAP, TOP + 24.0);
        panel(&mut text, top, workload.title(), groups, scale);
    }
    line(
        &mut text,
        format_args!(
            r#"<text x="{LEFT}" y="{}" font-size="11">{}</text>"#,
            height - 10.0,
            escaped(caption)
        ),
    );
    text.push_str("</svg>\n");
    text
}

fn groups(summary: Summary<'_>, workload: Workload) -> Vec<Group> {
    let bars = |connections| {
        let bar = move |system| {
            let case = Case { workload, connections, system };
            Some(Bar { system, rate: summary.spread(case, |figures| figures.rate)? })
        };
        System::ALL.into_iter().filter_map(bar).collect::<Vec<Bar>>()
    };
    let group = |connections| Group { label: connections_of(connections), bars: bars(connections) };
    summary.connections().into_iter().map(group).filter(|group| !group.bars.is_empty()).collect()
}

fn connections_of(connections: u32) -> String {
    if connections == 1 { "1 connection".to_owned() } else { format!("{connections} connections") }
}

/// From rates to lengths.
#[derive(Clone, Copy)]
struct Scale {
    highest: f64,
    step: f64,
}

impl Scale {
    /// Round steps, about five of them.
    fn up_to(rate: f64) -> Self {
        let magnitude = 10_f64.powf((rate / 5.0).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude);
        let step = steps.into_iter().find(|step| rate / step <= 5.0).unwrap_or(rate);
        Self { highest: (rate / step).ceil() * step, step }
    }

    fn length(self, rate: f64) -> f64 {
        PANEL_HEIGHT * rate / self.highest
    }
}

fn legend(text: &mut String, panels: &[(Workload, Vec<Group>)]) {
    let has = |system: System| {
        let mut bars = panels.iter().flat_map(|(_, groups)| groups).flat_map(|group| &group.bars);
        bars.any(|bar| bar.system == system)
    };
    let (mut x, mut y) = (LEFT, 40.0);
    for system in System::ALL.into_iter().filter(|system| has(*system)) {
        let title = system.title();
        let width = float(wide(title.chars().count())).mul_add(6.3, 34.0);
        if x + width > LEFT + PANEL_WIDTH {
            (x, y) = (LEFT, y + 20.0);
        }
        line(
            text,
            format_args!(
                r#"<rect x="{x}" y="{y}" width="12" height="12" fill="{}"/>"#,
                colour(system)
            ),
        );
        line(
            text,
            format_args!(r#"<text x="{}" y="{}">{}</text>"#, x + 18.0, y + 10.5, escaped(&title)),
        );
        x += width;
    }
}

fn panel(text: &mut String, top: f64, title: &str, groups: &[Group], scale: Scale) {
    let (floor, right) = (top + PANEL_HEIGHT, LEFT + PANEL_WIDTH);
    line(
        text,
        format_args!(
            r#"<text x="{LEFT}" y="{}" font-size="14" font-weight="600">{}</text>"#,
            top - 10.0,
            escaped(title)
        ),
    );
    let mut rate = 0.0;
    while rate <= scale.highest {
        let y = floor - scale.length(rate);
        line(
            text,
            format_args!(
                r##"<line x1="{LEFT}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="#d8dee4"/>"##
            ),
        );
        line(
            text,
            format_args!(
                r#"<text x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
                LEFT - 6.0,
                y + 4.0,
                rounded(rate)
            ),
        );
        rate += scale.step;
    }
    let bars: usize = groups.iter().map(|group| group.bars.len()).sum();
    let room = float(wide(groups.len())).mul_add(-GROUP_GAP, PANEL_WIDTH);
    let width = (room / float(wide(bars))).min(BAR_WIDTH_MAX);
    let mut x = LEFT + GROUP_GAP / 2.0;
    for Group { label, bars } in groups {
        let group_width = width * float(wide(bars.len()));
        line(
            text,
            format_args!(
                r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{label}</text>"#,
                x + group_width / 2.0,
                floor + 18.0
            ),
        );
        for each in bars {
            bar(text, x, floor, width, each, scale);
            x += width;
        }
        x += GROUP_GAP;
    }
}

fn bar(text: &mut String, x: f64, floor: f64, width: f64, bar: &Bar, scale: Scale) {
    let Spread { median, min, max } = bar.rate;
    let (length, middle) = (scale.length(median), x + width / 2.0);
    let (y, low, high) = (floor - length, floor - scale.length(min), floor - scale.length(max));
    line(
        text,
        format_args!(
            r#"<rect x="{:.1}" y="{y:.1}" width="{:.1}" height="{length:.1}" fill="{}"/>"#,
            x + 1.0,
            width - 2.0,
            colour(bar.system)
        ),
    );
    line(
        text,
        format_args!(
            r##"<line x1="{middle:.1}" y1="{low:.1}" x2="{middle:.1}" y2="{high:.1}" stroke="#24292f"/>"##
        ),
    );
    line(
        text,
        format_args!(
            r#"<text x="{middle:.1}" y="{:.1}" text-anchor="middle" font-size="10">{}</text>"#,
            high - 4.0,
            rounded(median)
        ),
    );
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{content}"); // writing to a String cannot fail
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::tests::measurement;

    #[test]
    fn every_case_is_a_bar_with_its_median() {
        let measured = [
            measurement(1, Workload::Uniform, 1, System::COURSE, 1_000.0),
            measurement(2, Workload::Uniform, 1, System::COURSE, 2_000.0),
            measurement(1, Workload::Hot, 64, System::Http, 9_000.0),
        ];
        let text = svg(Summary(&measured), "a <machine> & more");
        assert!(text.contains(">1,500<") && text.contains(">9,000<"), "{text}");
        assert!(text.contains("a &lt;machine&gt; &amp; more"));
        assert_eq!(text.matches("font-weight=\"600\"").count(), 3);
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }

    #[test]
    fn the_scale_has_round_steps() {
        for (rate, highest, step) in
            [(9_000.0, 10_000.0, 2_000.0), (21_000.0, 25_000.0, 5_000.0), (480.0, 500.0, 100.0)]
        {
            let scale = Scale::up_to(rate);
            assert_eq!((scale.highest, scale.step), (highest, step));
        }
    }
}
