//! A page of the reference: what a public code means. Our own Markdown, of which the pages use headings, lists,
//! paragraphs and code.

use askama::Template;

use super::icon::Icon;
use super::shell::Shell;

/// `/help/errors/{code}`.
#[derive(Template)]
#[template(path = "help.html")]
pub struct HelpPage {
    pub shell: Shell,
    pub title: String,
    pub blocks: Vec<HelpBlock>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelpBlock {
    Heading(String),
    Paragraph(Vec<HelpSpan>),
    List(Vec<Vec<HelpSpan>>),
    Code(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelpSpan {
    Text(String),
    Code(String),
}

impl HelpBlock {
    /// The blocks of a page, its title left out.
    pub fn read(markdown: &str) -> Vec<HelpBlock> {
        let mut blocks = Vec::new();
        let mut open: Option<(bool, String)> = None;
        let mut code: Option<String> = None;
        for line in markdown.lines() {
            if line.trim_start().starts_with("```") {
                close(&mut open, &mut blocks);
                match code.take() {
                    Some(text) => blocks.push(HelpBlock::Code(text)),
                    None => code = Some(String::new()),
                }
            } else if let Some(text) = &mut code {
                text.push_str(line);
                text.push('\n');
            } else if let Some(heading) = line.strip_prefix('#') {
                close(&mut open, &mut blocks);
                // One mark is the title, which the page has already.
                if heading.starts_with('#') {
                    blocks.push(HelpBlock::Heading(heading.trim_matches(['#', ' ']).to_owned()));
                }
            } else if line.trim().is_empty() {
                close(&mut open, &mut blocks);
            } else if let Some(item) = line.strip_prefix("* ").or_else(|| line.strip_prefix("- ")) {
                close(&mut open, &mut blocks);
                open = Some((true, item.to_owned()));
            } else {
                let (_, text) = open.get_or_insert((false, String::new()));
                text.push(' ');
                text.push_str(line.trim());
            }
        }
        close(&mut open, &mut blocks);
        blocks
    }
}

fn close(open: &mut Option<(bool, String)>, blocks: &mut Vec<HelpBlock>) {
    if let Some((is_item, text)) = open.take() {
        let spans = spans(text.trim());
        match blocks.last_mut() {
            Some(HelpBlock::List(items)) if is_item => items.push(spans),
            _ if is_item => blocks.push(HelpBlock::List(vec![spans])),
            _ => blocks.push(HelpBlock::Paragraph(spans)),
        }
    }
}

/// Every other part between backticks is code.
fn spans(text: &str) -> Vec<HelpSpan> {
    let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts
        .map(|(index, part)| {
            let part = part.to_owned();
            if index % 2 == 1 { HelpSpan::Code(part) } else { HelpSpan::Text(part) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_the_reference_are_read_whole() {
        let blocks = HelpBlock::read(
            "# X: y\n\n## What it means\n\nOne `a`\nline.\n\n* first\n  more\n* `second`\n\n```\nrun\n```\n",
        );
        let text = |text: &str| HelpSpan::Text(text.to_owned());
        let code = |text: &str| HelpSpan::Code(text.to_owned());
        assert_eq!(
            blocks,
            vec![
                HelpBlock::Heading("What it means".to_owned()),
                HelpBlock::Paragraph(vec![text("One "), code("a"), text(" line.")]),
                HelpBlock::List(vec![vec![text("first more")], vec![code("second")]]),
                HelpBlock::Code("run\n".to_owned()),
            ]
        );
    }
}
