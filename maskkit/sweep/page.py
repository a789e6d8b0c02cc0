"""sweep.html: the settings of a sweep, the best and those as good within noise marked; what broke, by name."""

from maskkit import __version__, evaluate, plots, runs
from maskkit.core import disk
from maskkit.html import markup
from maskkit.html.markup import Markup, ends, percent, plural, section, table, text
from maskkit.sweep import figures

COMPARED = (
    "Recipes that differ in their seed only are one setting. Each setting is compared with the best on the photos that "
    "both answered, photo by photo, by the last epoch; 'as good' says that the gap's 95 % interval reaches zero. "
    "The best of many is lucky as well as good: its own number flatters, the more so the more settings were tried. "
    "A choice made here should be measured once more, on photos that no recipe of this sweep has seen."
)


def write(sweep, exams, made):
    """Write the figures and sweep.html of a `sweep.Sweep`.

    Args:
        exams: of `ranking.rank`. made: names of the runs that went through the notebooks.

    Returns:
        the page's path.
    """
    counts = sweep.counts
    said = f"{counts['done']:,} of {plural(len(sweep.rows), 'recipe')} done"
    facts = {"recipes": f"{len(sweep.rows):,}", "done": f"{counts['done']:,}", "broken": f"{counts['broken']:,}"}
    parts = [
        f'<header><p class="soft">maskkit sweep, {text(sweep.name)}</p><h1>{text(said)}</h1>{markup.facts(facts)}'
        "</header>",
        "<main>",
        *(exam_section(sweep, number, exam) for number, exam in enumerate(exams)),
        section("How settings are compared", f"<p>{text(COMPARED)}</p>") if exams else "",
        section("Through the notebooks", notebooks(made)),
        section("Broken recipes", broken(sweep)),
        "</main>",
        f"<footer><p>Every parameter and number of every recipe: runs.csv. Written by maskkit {__version__}, "
        f"{runs.now()}.</p></footer>",
    ]
    path = sweep.folder / "sweep.html"
    disk.write_text(path, markup.document(f"{said}: {sweep.name}", parts))
    return path


def exam_section(sweep, number, exam):
    """One set of photos: the figure and the table of all settings."""
    name = "settings" + (f"_{number + 1}" if number else "")
    plots.save(figures.settings(exam), sweep.folder, name)
    best, as_good = exam.settings[0], sum(one.noise for one in exam.settings) - 1
    found = (f"The best setting is {best.words}. " if len(exam.settings) > 1 else f"{best.words}. ".capitalize()) + (
        f"{plural(as_good, 'other setting')} may be as good." if as_good else ""
    )
    alt = f"Accuracy of {plural(len(exam.settings), 'setting')} with intervals, the best on top."
    look = "Look for settings whose mark is hollow: only these are behind by more than noise."
    figure = markup.figure(sweep.folder / "figures" / f"{name}.png", alt, look)
    return section(exam.photos, f"<p>{text(found)}</p>", figure, listed(exam))


def listed(exam):
    """Every setting as a row."""
    names = list(exam.settings[0].differs)
    numbers = ("last epoch", "95 % interval", "behind the best by", "seeds")
    columns = [*(names or ["setting"]), "verdict", *numbers, "recipe"]
    body = []
    for one in exam.settings:
        verdict = "best" if one.gap is None else "as good" if one.noise else "behind"
        gap = "-" if one.gap is None or one.gap[0] is None else f"{0 - 100 * one.gap[0]:.1f} points"
        body.append(
            [
                *(one.differs.values() or ["the only one"]),
                verdict,
                percent(one.score["accuracy"]),
                ends(one.score["interval"]),
                gap,
                len(one.seeds),
                Markup(f"<code>{text(one.keys[0])}</code>"),
            ]
        )
    said = f"{evaluate.format_score(exam.settings[0].score)} is the best. The recipe named is the setting's first seed."
    first = len(names) or 1
    return table(said, columns, body, numbers=(first + 1, first + 3, first + 4), stacked=True)


def notebooks(made):
    items = "".join(f"<li><code>runs/{text(name)}/report.html</code></li>" for name in made)
    return f"<ul>{items}</ul>" if made else "<p>None: no recipe was run through the notebooks yet.</p>"


def broken(sweep):
    rows = [[key, sweep.rows[key]["error"]] for key in sweep.of("broken")]
    if not rows:
        return "<p>None.</p>"
    said = "Recipes that gave no number. `maskkit sweep ... --retry NAME` tries one again, `--retry all` all."
    return table(said, ("recipe", "what it said"), rows, long=(1,))
