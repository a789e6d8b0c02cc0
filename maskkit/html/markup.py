"""The pieces that every page is made of: CSS, escaped text, sections, figures, tables. No script, nothing from afar."""

import base64
from html import escape

from maskkit.core import class_names
from maskkit.html import languages
from maskkit.html.languages import number, say

PRIVACY = "This page may show faces: do not share it without the consent of those shown."
PRIVACY_DRAWN = "The faces on this page are drawn by this project's own code: they show nobody."
DPI, LARGE_PX = 150, 2000  # of our figures; wider ones, whose letters would be too small, keep their size and scroll
MOST_NAMES = 12  # classes named in a line; more rows of a table are folded away
SCROLL = "(Scroll the figure sideways to see all of it.)"
SIGNS = {"green": "✓", "amber": "!", "red": "✗", "unknown": "?"}
STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf7; --card: #fff; --ink: #1d2733; --soft: #55606c; --line:
  #d9dde2; --accent: #0f6674; --warn: #fff1d6; --warn-line: #b06a00; --yes: #1c6b3c; --no: #a3261d; }
@media (prefers-color-scheme: dark) { :root { --paper: #14191f; --card: #1c232b; --ink: #e8ebee; --soft:
  #a9b3bd; --line: #36404a; --accent: #6cc5d3; --warn: #3a2d12; --warn-line: #e0a23c; --yes: #7fd3a0; --no:
  #ff9d92; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, "Segoe UI", Roboto,
  "Noto Sans", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
main, header, footer { max-width: 62rem; margin: 0 auto; padding: 0 clamp(1rem, 4vw, 2.5rem); }
header { padding-top: 2.5rem; }
h1 { font-size: clamp(1.35rem, 4.2vw, 2.1rem); line-height: 1.2; margin: .4rem 0 .8rem; color: var(--accent);
  text-wrap: balance; } h1 span { display: block; font-size: 1.15rem; color: var(--ink); padding-top: .3rem; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 3rem 0 .6rem; padding-top: .8rem; border-top: 1px solid
  var(--line); }
h3 { font-size: 1.12rem; line-height: 1.3; margin: 2.2rem 0 .4rem; }
p { max-width: 44rem; margin: .5rem 0; }
.narrow-only { display: none; }
.soft, figcaption, caption { color: var(--soft); }
.banner { border-left: .35rem solid var(--warn-line); background: var(--warn); padding: .7rem 1rem; margin:
  1rem 0; max-width: none; border-radius: .25rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem; margin:
  1.5rem 0 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem
  .9rem; }
.facts dt { font-size: .85rem; color: var(--soft); } .facts dd { margin: 0; font-weight: 600; }
figure { margin: 1rem 0 0; } figcaption { max-width: 44rem; margin-bottom: .6rem; }
.picture, .table { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; }
.picture { background: #fff; padding: .5rem; }
.picture img { display: block; width: 100%; min-width: min(100%, 36rem); max-width: 60rem; height: auto;
  margin: 0 auto; }
.picture.tall img { width: auto; max-width: 100%; max-height: 44rem; }
.picture.long img { width: var(--natural); max-width: 100%; }
.picture.large img { width: var(--natural); max-width: none; }
.table { background: var(--card); margin: .8rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .6rem .8rem 0; font-size: .88rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .8rem; border-bottom: 1px solid var(--line);
  overflow-wrap: normal; }
td { min-width: 5.5rem; } .long { overflow-wrap: anywhere; min-width: 12rem; } tr:last-child > * {
  border-bottom: 0; }
thead th { font-size: .85rem; color: var(--soft); }
table thead th { white-space: normal; } tbody th { font-weight: 600; }
.number { text-align: right; white-space: nowrap; } .verdict { font-weight: 600; white-space: nowrap; }
.yes { color: var(--yes); } .no { color: var(--no); }
code { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .9em; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem;
  white-space: pre-wrap; }
summary { cursor: pointer; padding: .4rem 0; color: var(--accent); font-weight: 600; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
footer { margin: 3rem auto 2rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); }
:root { --green: #00704f; --amber: #8a5500; --red: #a8231b; --unknown: #55606c; --bulb: #e09b12; }
@media (prefers-color-scheme: dark) { :root { --green: #71cfa9; --amber: #efb449; --red: #ff9d92; --unknown:
  #a9b3bd; } }
h4 { font-size: 1rem; margin: 0; }
.green { --light: var(--green); --fill: var(--green); } .red { --light: var(--red); --fill: var(--red); }
.amber { --light: var(--amber); --fill: var(--bulb); } .unknown { --light: var(--unknown); --fill: var(--line); }
.light { color: var(--light); font-weight: 600; white-space: nowrap; }
.sign { display: inline-block; width: 1.6em; line-height: 1.6em; border-radius: 50%; text-align: center;
  font-weight: 700; background: var(--fill); color: var(--card); print-color-adjust: exact; }
.amber .sign { border-radius: 0; color: #1d2733; line-height: 1.9em; height: 1.6em; vertical-align: middle;
  clip-path: polygon(50% 0, 100% 100%, 0 100%); }
.red .sign { border-radius: 0; clip-path: polygon(30% 0, 70% 0, 100% 30%, 100% 70%, 70% 100%, 30% 100%, 0 70%, 0 30%); }
.unknown .sign { background: none; color: var(--light); outline: 2px dashed var(--light); outline-offset: -2px; }
.lights, .lamps, .files { list-style: none; padding: 0; }
.lights { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17.5rem), 1fr)); gap: 1rem;
  margin: 1rem 0; }
.lights > li { background: var(--card); border: 1px solid var(--line); border-top: .3rem solid var(--fill);
  border-radius: .5rem; padding: .9rem 1rem; display: flex; flex-direction: column; gap: .35rem;
  scroll-margin-top: 1rem; break-inside: avoid; }
.lights > li.unknown { border-top-style: dashed; } .lights p { margin: 0; }
.lights :is(h2, h3, h4) { font-size: 1.02rem; margin: 0; padding: 0; border: 0; }
.lights .amount { font-size: 1.5rem; font-weight: 650; line-height: 1.25; font-variant-numeric: tabular-nums; }
.lights .amount.none { font-size: 1.1rem; font-weight: 500; color: var(--soft); }
.lights .amount small { font-size: .85rem; font-weight: 400; color: var(--soft); display: block; }
.lights .said::first-letter { text-transform: uppercase; }
.lights .limits { margin-top: auto; padding-top: .5rem; border-top: 1px solid var(--line); font-size: .85rem;
  color: var(--soft); }
.lamps { display: flex; flex-wrap: wrap; gap: .4rem .6rem; margin: .5rem 0; }
.lamps a { display: inline-block; padding: .25rem .7rem .25rem .3rem; border: 1px solid var(--line);
  border-radius: 1.2rem; background: var(--card); color: var(--ink); text-decoration: none; font-size: .9rem; }
.lamps a:hover { border-color: var(--light); }
.files { columns: 16rem; gap: 1.5rem; font-size: .9rem; } .files li { break-inside: avoid; padding: .1rem 0; }
.given { display: block; font-weight: 400; font-size: .85rem; color: var(--soft); }
.faces { list-style: none; padding: 0; display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill,
  minmax(9.25rem, 1fr)); }
.faces li { display: flex; flex-direction: column; gap: .15rem; background: var(--card); border: 1px solid
  var(--line); border-radius: .5rem; padding: .5rem .6rem .6rem; break-inside: avoid; }
.face { aspect-ratio: 1; display: grid; place-items: center; background: var(--paper); border-radius: .25rem;
  margin-bottom: .35rem; color: var(--soft); } .face img { width: 100%; height: 100%; object-fit: contain; }
.sure { display: flex; align-items: center; gap: .5rem; font-size: .88rem; font-variant-numeric: tabular-nums; }
.sure > :first-child { white-space: nowrap; }
.bar { flex: 1; height: .4rem; border-radius: .2rem; background: var(--line); overflow: hidden;
  print-color-adjust: exact; } .bar > span { display: block; height: 100%; background: var(--accent); }
.faces .name { font-size: .8rem; line-height: 1.3; color: var(--soft); display: -webkit-box; overflow: hidden;
  -webkit-line-clamp: 2; -webkit-box-orient: vertical; }
.ruler { position: relative; height: .9rem; max-width: 44rem; margin: .8rem 0 .1rem; border-radius: .45rem;
  background: var(--line); print-color-adjust: exact; } .ruler span { position: absolute; top: 0; bottom: 0; }
.ruler .reach { background: var(--accent); opacity: .45; border-radius: .45rem; }
.ruler .here { width: .35rem; margin-left: -.175rem; top: -.2rem; bottom: -.2rem; background: var(--accent);
  border-radius: .2rem; } .scale { display: flex; justify-content: space-between; font-size: .8rem; margin: 0; }
@media (max-width: 40rem) { .picture.wide img { min-width: 36rem; } h2 { margin-top: 2.2rem; }
  .narrow-only { display: inline; } table { font-size:
  .85rem; } th, td { padding: .4rem .5rem; min-width: 4rem; } .verdict { white-space: normal; }
  .table { position: relative; } .stacked thead { position: absolute; inset: 0; overflow: hidden; clip-path:
  inset(50%); } .stacked caption { display: block; }
  .stacked, .stacked tbody, .stacked tr, .stacked tbody > tr > * { display: block; text-align: left; border: 0;
  white-space: normal; } .stacked tr { border-top: 1px solid var(--line); padding: .5rem .2rem; }
  .stacked tbody > tr > * { padding: .1rem .5rem; } .stacked td[data-label]::before { color: var(--soft);
  content: attr(data-label) ": "; } }
@media print { :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --accent:
  #0f6674; --warn: #fff; --yes: #1c6b3c; --no: #a3261d; } body { font-size: 10pt; } h2, h3, h4 { break-after: avoid; }
  figure, tr, .banner { break-inside: avoid; } details::details-content { content-visibility: visible;
  block-size: auto; } .picture.wide img { min-width: 0; } .picture.large img { width: 100%; } }
"""


class Markup(str):
    """Text that is HTML already."""


def text(something):
    """Anything as escaped text; bytes of a file name that are not UTF-8 are shown as question marks."""
    return escape(str(something).encode("utf-8", "replace").decode("utf-8"))


def stored(english):
    """A text from a run's files as Markup in the page's language; one without a translation is marked as English."""
    found = languages.translate(english)
    return Markup(text(found) if found is not None else f'<span lang="en">{text(english)}</span>')


def percent(fraction, instead="-"):
    return instead if fraction is None else number(f"{100 * fraction:.1f} %")


def plural(n, thing, things=None):
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {things or thing + 's'}"


def ends(interval):
    """The ends of an interval of fractions: 87.1-99.6 %."""
    return "-" if interval is None else number("-".join(f"{100 * end:.1f}" for end in interval) + " %")


def banner(words):
    return f'<p class="banner">{text(words)}</p>'


def section(title, *bodies, level=2, anchor=None):
    """A section under a heading; `anchor`: the id that links on the same page lead to."""
    name = f' id="{anchor}"' if anchor else ""
    return f"<section{name}><h{level}>{text(title)}</h{level}>{''.join(bodies)}</section>"


def facts(found):
    """A few facts side by side, each in a box under its name."""
    boxes = "".join(f"<div><dt>{text(name)}</dt><dd>{text(fact)}</dd></div>" for name, fact in found.items())
    return f'<dl class="facts">{boxes}</dl>'


def details(summary, body):
    return f"<details><summary>{text(summary)}</summary>{body}</details>"


def names(title, listed, most, where):
    """Names, folded away; of a long list only the first, the rest counted; `where`: what lists them all."""
    if not listed:
        return ""
    items = "".join(f"<li><code>{text(name)}</code></li>" for name in listed[:most])
    more = say("and {n} more: ", n=number(f"{len(listed) - most:,}")) if len(listed) > most else ""
    body = f'<ul class="files">{items}</ul><p>{more}{text(where)}</p>'
    count = say("1 file") if len(listed) == 1 else say("{n} files", n=number(f"{len(listed):,}"))
    return details(f"{title}: {count}", body)


def class_list(classes):
    """The classes in a line, in natural order; of many the first twelve and how many more there are."""
    shown = ", ".join(class_names.first(classes, MOST_NAMES))
    more = len(classes) - MOST_NAMES
    return shown if more <= 0 else say("{n}: {names} and {more} more", n=len(classes), names=shown, more=more)


def mistaken(classes, matrix):
    """(true class, predicted class, photos) of each kind of mistake in a confusion matrix, the most frequent first."""
    found = [
        (true, called, n)
        for true, row in zip(classes, matrix, strict=False)
        for called, n in zip(classes, row, strict=False)
        if n and called != true
    ]
    return sorted(found, key=lambda pair: (-pair[2], *map(class_names.natural_key, pair[:2])))


def mark(light, with_word=True):
    """A light as a sign and, unless the word stands beside it, its word; never as a colour alone."""
    sign = f'<span class="sign" aria-hidden="true">{SIGNS[light]}</span>'
    return Markup(f'<span class="light {light}">{sign}{f" {say(light)}" if with_word else ""}</span>')


def figure(path, alt, look_for):
    """A PNG inside the page, what it shows in words for those who do not see it, and what to look for."""
    data = path.read_bytes()
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))  # png's header
    shape = "tall" if height > 0.9 * width else "wide"
    shape = "long" if height > 1.5 * width else "large" if width > LARGE_PX else shape
    name = text(f"{say('figure')}: {path.stem.replace('_', ' ')}")
    narrow = ' class="narrow-only"' if shape == "wide" else ""
    scroll = f" <span{narrow}>{say(SCROLL)}</span>" if shape in ("wide", "large") else ""
    return (
        f"<figure><figcaption>{text(look_for)}{scroll}</figcaption>"
        f'<div class="picture {shape}" style="--natural: {width * 96 // DPI}px" tabindex="0" role="group" '
        f'aria-label="{name}">'
        f'<img alt="{text(alt)}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{base64.b64encode(data).decode()}"></div></figure>'
    )


def table(caption, columns, rows, numbers=(), long=(), stacked=False):
    """A table whose first column names its rows.

    Args:
        numbers: the columns that stand right; long: those whose words may break.
        stacked: on a narrow page each row becomes a block, its cells under one another with their column's name; the
            roles are spelled out because browsers drop a table's own when its cells are laid out as blocks.
    """

    def look(i):
        kind = ' class="number"' if i in numbers else ' class="long"' if i in long else ""
        return kind + (f' data-label="{text(columns[i])}"' if stacked and i else "")

    def role(name):
        return f' role="{name}"' if stacked else ""

    def cell(i, something):
        inner = something if isinstance(something, Markup) else text(something)
        if i:
            return f"<td{role('cell')}{look(i)}>{inner}</td>"
        return f'<th{role("rowheader")} scope="row"{look(i)}>{inner}</th>'

    kind = f'{role("table")} class="stacked"' if stacked else ""
    head = "".join(
        f'<th{role("columnheader")} scope="col"{look(i)}>{text(name)}</th>' for i, name in enumerate(columns)
    )
    body = "".join(
        f"<tr{role('row')}>{''.join(cell(i, something) for i, something in enumerate(row))}</tr>" for row in rows
    )
    return (
        f'<div class="table" tabindex="0" role="group" aria-label="{text(say("table"))}">'
        f"<table{kind}><caption>{text(caption)}</caption>"
        f"<thead{role('rowgroup')}><tr{role('row')}>{head}</tr></thead>"
        f"<tbody{role('rowgroup')}>{body}</tbody></table></div>"
    )


def document(title, parts, language="en"):
    """The whole page; `parts` are HTML."""
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )
