//! How far a long piece of work is: a bar for people who look at standard error, a line for each tenth where nobody does,
//! nothing where only data is wanted.

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;

pub struct Progress<'a> {
    output: &'a Output,
    shown: Shown,
    of: u64,
    done: u64,
    unit: &'static str,
}

enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines,
}

impl<'a> Progress<'a> {
    /// `of` pieces of work of this name, `days`, are ahead.
    pub fn start(output: &'a Output, of: u64, unit: &'static str) -> Self {
        let shown = if output.shows_progress() {
            Shown::Bar(bar(of))
        } else if output.is_quiet() {
            Shown::Nothing
        } else {
            Shown::Lines
        };
        Self { output, shown, of, done: 0, unit }
    }

    /// One piece more is done; `message` says what came of all so far.
    pub fn step(&mut self, message: &str) {
        let before = self.done;
        self.done += 1;
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                bar.set_message(format!("{} of {} {}, {message}", self.done, self.of, self.unit));
                bar.set_position(self.done);
            }
            Shown::Lines => {
                if let Some(percent) = tenth_passed(before, self.done, self.of) {
                    let (done, of, unit) = (self.done, self.of, self.unit);
                    self.output.note(format_args!("{percent} %: {done} of {of} {unit}, {message}"));
                }
            }
        }
    }
}

impl Progress<'_> {
    /// What there is to say while no piece is done. Only a bar says it.
    pub fn say(&self, message: &str) {
        if let Shown::Bar(bar) = &self.shown {
            bar.set_message(format!("{} of {} {}, {message}", self.done, self.of, self.unit));
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar(of: u64) -> ProgressBar {
    let bar = ProgressBar::new(of);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}  {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

/// The last full tenth that was passed between two counts, in percent.
fn tenth_passed(before: u64, after: u64, of: u64) -> Option<u64> {
    let tenth = |done: u64| (done * 10).checked_div(of).unwrap_or(10);
    (tenth(after) > tenth(before)).then(|| tenth(after) * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(of: u64) -> Vec<u64> {
        (0..of).filter_map(|before| tenth_passed(before, before + 1, of)).collect()
    }

    #[test]
    fn each_tenth_is_told_once() {
        assert_eq!(told(1), [100]);
        assert_eq!(told(3), [30, 60, 100]);
        assert_eq!(told(30), [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        assert_eq!(told(1_000).len(), 10);
    }
}
