"""The widgets of 06_explore, thin on `explore.Explorer`: they show what it holds and pass clicks on to it.

All text that comes from elsewhere, such as file names, goes through `markup.element`, which escapes it.
"""

import functools
import io

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from markupsafe import Markup

from maskkit import data, evaluate, plots
from maskkit.core import class_names
from maskkit.core.messages import plural
from maskkit.explore import figures
from maskkit.explore.explorer import ANY, SORTS, VERDICTS, count_answers
from maskkit.html.markup import data_uri, element, image
from maskkit.html.render import class_list
from maskkit.plots import percent

PER_PAGE = 12
SET_ASIDE = -1  # the choice "set aside" beside the classes' places
MOST_BUTTONS = 4  # classes: more are chosen from a list
MOST_SPELLED = 10  # classes whose matrix is spelled out in words
UPLOAD_LIMIT = 8_000_000  # bytes: Jupyter closes the connection to the kernel at messages of 10 MB
STYLE = """
.maskkit { --mk-line: var(--jp-border-color2, #bdbdbd); --mk-soft: var(--jp-ui-font-color2, #555); }
.maskkit .widget-html-content { line-height: 1.4; font-size: 13px; }
.mk-said b { font-size: 1.25em; } .mk-said { margin: 0; } .mk-soft { color: var(--mk-soft); }
.mk-said + .mk-said { margin-top: .15em; }
.mk-problem { border-left: 4px solid #b3261e; padding: .2em .6em; }
.mk-tile { border: 1px solid var(--mk-line); border-radius: 6px; padding: 5px; overflow: hidden; }
.mk-tile :is(.widget-html, .widget-html-content) { width: 100%; min-width: 0; overflow: hidden; }
.mk-tile img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #8882;
  border-radius: 4px; }
.mk-aside img { opacity: .35; }
.mk-wrong { border: 2px dashed var(--jp-error-color1, #b3261e); padding: 4px; }
.mk-tile p { margin: 3px 0 0; font-size: 12px; line-height: 1.3; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.mk-tile .widget-toggle-buttons .widget-toggle-button { width: 100%; margin: 1px 0 0; height: 24px; line-height: 22px;
  font-size: 12px; padding: 0 4px; overflow: hidden; text-overflow: ellipsis; }
.mk-tile .widget-toggle-button.mod-active::before { content: "✓ "; }
.mk-figure img { display: block; width: 100%; height: auto; background: #fff; border-radius: 4px; }
.mk-bar { display: flex; height: 18px; border-radius: 3px; overflow: hidden; margin: 2px 0 8px;
  background: var(--mk-line); }
.mk-bar i { display: block; height: 100%; } .mk-hit { background: #0a7d74; }
.mk-miss { background: repeating-linear-gradient(45deg, #b3261e 0 4px, #e08a84 4px 8px); }
.maskkit table { border-collapse: collapse; margin: .4em 0; } .maskkit :is(th, td) { padding: .2em .9em .2em 0;
  text-align: right; font-variant-numeric: tabular-nums; } .maskkit :is(th, td):first-child { text-align: left; }
.maskkit thead th { border-bottom: 1px solid var(--mk-line); font-weight: 600; }
"""


def html(value="", *classes):
    """An HTML widget."""
    made = widgets.HTML(value)
    for name in classes:
        made.add_class(name)
    return made


def frame(*children):
    """Widgets one under another, in our style."""
    made = widgets.VBox([widgets.HTML(element("style", Markup(STYLE)), layout={"display": "none"}), *children])
    made.add_class("maskkit")
    return made


def alert(words):
    """A message that something went wrong."""
    return element("p", words, class_="mk-problem", role="alert")


def figure(fig, alt):
    """A figure as an <img>; closed, or Jupyter would show it once more."""
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=90)
    plt.close(fig)
    return image(data_uri(file.getvalue()), alt)


# --- gallery ------------------------------------------------------------------------------------


class Gallery:
    """Photos to look through, correct and set aside; below them what the labels teach.

    Each photo has a tile of its own for good: a second click that comes late still means the photo it was meant for,
    and choosing what is chosen already changes nothing.
    """

    def __init__(self, explorer):
        self.explorer, self.tiles, self.page = explorer, {}, 0
        labels = (ANY, *class_names.by_name(explorer.classes, str))
        choices = {"sort": SORTS, "label": labels, "part": (ANY, *data.PARTS), "verdict": (ANY, *VERDICTS)}
        names = {"sort": "Sorted by", "label": "Class", "part": "Part", "verdict": "Show"}
        self.filters = {name: dropdown(names[name], options) for name, options in choices.items()}
        for one in self.filters.values():
            one.observe(lambda _: self.turn(0), "value")
        self.said, self.problem = html("", "mk-status"), html()
        self.where = html()
        self.back, self.forth = button("previous", "arrow-left"), button("next", "arrow-right")
        self.undo = button("undo", "undo")
        self.back.on_click(lambda _: self.turn(self.page - 1))
        self.forth.on_click(lambda _: self.turn(self.page + 1))
        self.undo.on_click(lambda _: self.take_back())
        self.grid = widgets.GridBox(
            layout={
                "grid_template_columns": "repeat(auto-fill, minmax(150px, 1fr))",
                "grid_gap": "8px",
                "width": "100%",
            }
        )
        self.curves, self.matrix = html("", "mk-figure"), html("", "mk-figure")
        self.curves.layout.flex, self.matrix.layout.flex = "1 1 420px", "1 1 360px"
        charts = widgets.Box([self.curves, self.matrix], layout={"flex_flow": "row wrap", "width": "100%"})
        row = {"flex_flow": "row wrap", "align_items": "center"}
        self.widget = frame(
            self.said,
            self.problem,
            widgets.Box([*self.filters.values()], layout=row),
            widgets.Box([self.back, self.forth, self.undo, self.where], layout=row),
            self.grid,
            charts,
        )
        explorer.listen(self.show)
        self.show()

    def do(self, action, *arguments):
        """What a click asks for, and what that returns; what is wrong with it is said above the photos."""
        self.problem.value = ""
        try:
            return action(*arguments)
        except (ValueError, OSError) as error:
            self.problem.value = alert(f"Nothing was changed: {error}")
            self.turn(self.page)  # a tile shows what is, not what was clicked

    def take_back(self):
        """Undo, and say what was undone: the last line may be one of another day, or of another run's photo."""
        taken = self.do(self.explorer.undo)
        if taken:
            line = f"Taken back: {taken['source']}, {taken['label'] or 'set aside'}"
            self.problem.value = element("p", line, class_="mk-soft", aria_live="polite")
        elif not self.problem.value:
            nothing = "There is nothing to take back."
            self.problem.value = element("p", nothing, class_="mk-soft", aria_live="polite")

    def show(self):
        """Show what was learned: the numbers first, the figures, which take longest, last."""
        self.said.value = said(self.explorer)
        self.turn(self.page)
        learned, metrics = self.explorer.learned, self.explorer.metrics
        counts = f", rows true: {learned.confusion.tolist()}" if len(learned.confusion) <= MOST_SPELLED else ""
        self.matrix.value = figure(
            plots.confusion(learned.confusion, self.explorer.classes, metrics["photos"], metrics["network"]),
            f"Confusion matrix of {class_list(self.explorer.classes)}{counts}",
        )
        self.curves.value = figure(
            plots.training_curves(learned.history, metrics["photos"], metrics["network"]),
            f"Loss and accuracy over {len(learned.history)} epochs; best: {evaluate.say(learned.best)}",
        )

    def turn(self, page):
        """Show a page of the photos that pass the filters."""
        places = self.explorer.select(**{name: one.value for name, one in self.filters.items()})
        last = max(0, (len(places) - 1) // PER_PAGE)
        self.page = min(max(page, 0), last)
        shown = places[self.page * PER_PAGE : (self.page + 1) * PER_PAGE]
        for place in shown:
            if place not in self.tiles:
                self.tiles[place] = Tile(self.explorer, place, functools.partial(self.do, self.explorer.change))
            self.tiles[place].show()
        self.grid.children = [self.tiles[place].widget for place in shown]
        self.back.disabled, self.forth.disabled = self.page == 0, self.page == last
        first, n = self.page * PER_PAGE, plural(len(places), "photo")
        self.where.value = f"{first + 1}-{first + len(shown)} of {n}" if shown else "no photo"


class Tile:
    """One photo with what is known of it, and its label to choose."""

    def __init__(self, explorer, place, change):
        self.explorer, self.place, self._change = explorer, place, change
        names = class_names.natural_order(explorer.classes)
        options = [*((explorer.classes[at], at) for at in names), ("set aside", SET_ASIDE)]
        kind = widgets.ToggleButtons if len(explorer.classes) <= MOST_BUTTONS else widgets.Dropdown
        self.choice = kind(options=options, value=self.now(), layout={"width": "100%", "margin": "0"})
        self.choice.observe(self.chosen, "value")
        self.face = html()
        self.face.layout.margin = "0"
        self.widget = widgets.VBox([self.face, self.choice])
        self.widget.add_class("mk-tile")

    def now(self):
        return SET_ASIDE if self.explorer.aside[self.place] else int(self.explorer.labels[self.place])

    def chosen(self, change):
        if change["new"] != self.now():
            self._change(self.place, None if change["new"] == SET_ASIDE else change["new"])

    def show(self):
        """Bring the tile to what the explorer holds."""
        explorer, place, learned = self.explorer, self.place, self.explorer.learned
        self.choice.value = self.now()
        called = int(learned.probabilities[place].argmax())
        wrong = called != explorer.labels[place] and not explorer.aside[place]
        lines = [f"{'✗' if wrong else '✓'} {percent(learned.probabilities[place, called])} {explorer.classes[called]}"]
        if explorer.aside[place]:
            lines[0] = f"set aside; {explorer.classes[called]}?"
            lines.append("learns and counts nowhere")
        elif learned.unseen is not None:
            lines.append(f"unseen: label {percent(explorer.own(learned.unseen)[place])}")
        found = explorer.classes[explorer.found[place]]
        lines.append(f"was {found}" if explorer.changed[place] else f"{explorer.parts[place]} · {found}")
        lines.append(explorer.name(place))
        for name, wanted in (("mk-wrong", wrong), ("mk-aside", explorer.aside[place])):
            (self.widget.add_class if wanted else self.widget.remove_class)(name)
        paragraphs = (
            element("p", line, class_="mk-soft" if number > 1 else "", title=line) for number, line in enumerate(lines)
        )
        picture = image(f"data:image/jpeg;base64,{explorer.thumbnail(place)}", explorer.name(place))
        self.face.value = picture + Markup("").join(paragraphs)


def said(explorer):
    """The numbers, what they were, and where the changes are kept."""
    learned, metrics = explorer.learned, explorer.metrics
    keep = explorer.parameters.get("keep", "best")
    n_aside = int(explorer.aside.sum())
    n_labels = int((explorer.changed & ~explorer.aside).sum())
    n_exam = int((explorer.changed & (explorer.parts == "val")).sum())
    lines = [
        element("b", evaluate.say(learned.kept)) + f" of the validation photos, {keep} epoch {learned.kept['epoch']}",
        f"the run as it was made: {evaluate.say(metrics[keep])}",
        f"{plural(n_labels, 'label')} changed, {plural(n_aside, 'photo')} set aside, kept in "
        + element("code", explorer.file.name)
        + f" · {plural(len(explorer.suspects), 'label')} likely wrong",
        element("span", f"learned in {learned.seconds:.2f} s", class_="mk-soft"),
    ]
    if n_exam:
        lines.insert(
            2,
            f"{plural(n_exam, 'change')} in the validation part changed the exam itself; by the labels as "
            f"found: {evaluate.say(learned.as_found)}",
        )
    if explorer.tuned:
        lines.append("only the head learns here: the run's last stages stay as they were, a new run tunes them anew")
    if learned.why:
        lines.append(f"likely wrong labels cannot be told: {learned.why}")
    return element("div", *(element("p", line, class_="mk-said") for line in lines), role="status")


def dropdown(name, options):
    return widgets.Dropdown(
        options=options, description=name, layout={"width": "14rem"}, style={"description_width": "initial"}
    )


def button(name, icon):
    return widgets.Button(description=name, icon=icon, layout={"width": "7rem"})


def gallery(explorer):
    """Photos sorted and filtered, each with its label to choose; curves and confusion matrix that follow."""
    return Gallery(explorer).widget


# --- threshold ----------------------------------------------------------------------------------


def threshold(explorer):
    """A slider for the probability below which the network says "don't know", and what that costs and spares."""
    least = 1 / len(explorer.classes)
    slider = widgets.FloatSlider(
        value=least,
        min=least,
        max=0.999,
        step=0.001,
        description="Answer from",
        readout_format=".1%",
        layout={"width": "min(100%, 36rem)"},
        style={"description_width": "6rem"},
    )
    # The slider's handle has no name for a screen reader; this field has.
    exactly = widgets.BoundedFloatText(
        value=least, min=least, max=0.999, step=0.001, description="exactly", layout={"width": "11rem"}
    )
    widgets.link((slider, "value"), (exactly, "value"))
    table = html()

    def show(_=None):
        probabilities, labels, words = explorer.judged
        counts = count_answers(probabilities, labels, slider.value)
        table.value = answers_table(counts, explorer.classes, words)

    slider.observe(show, "value")
    explorer.listen(show)
    show()
    return frame(widgets.Box([slider, exactly], layout={"flex_flow": "row wrap"}), table)


def answers_table(counts, classes, words):
    """Precision and recall of each class among the answers, with intervals, and the share without an answer."""
    n, unknown = int(counts.sum()), int(counts[:, -1].sum())
    right, answered = int(np.trace(counts)), n - unknown
    rows = []
    for at in class_names.natural_order(classes):
        name = classes[at]
        hit, own, called = int(counts[at, at]), int(counts[at].sum()), int(counts[:, at].sum())
        cells = [name, share(hit, called), share(hit, own), share(int(counts[at, -1]), own)]
        rows.append(element("tr", *(element("td", cell) for cell in cells)))
    head = (element("th", name, scope="col") for name in ("class", "precision", "recall", "don't know"))
    wrong = answered - right
    bar = (
        element("i", class_=kind, style=f"width:{100 * part / n:.2f}%")
        for kind, part in (("mk-hit", right), ("mk-miss", wrong))
    )
    counted = f"{right:,} right, {wrong:,} wrong, error rate {share(wrong, answered)}"
    share_unknown = element("b", f'{percent(unknown / n)} "don\'t know"')
    in_words = f"{right} right, {wrong} wrong, {unknown} don't know"
    note = (
        f'{n:,} {words}. Recall counts "don\'t know" as not found; in brackets 95 % intervals (Wilson) that take '
        "photos as independent."
    )
    return Markup("").join(
        [
            element("p", share_unknown, f"; {plural(answered, 'answer')}: {counted}", class_="mk-said"),
            element("div", *bar, class_="mk-bar", role="img", aria_label=in_words),
            element("table", element("thead", element("tr", *head)), element("tbody", *rows)),
            element("p", note, class_="mk-soft"),
        ]
    )


def share(part, whole):
    """'97.5 % (87.1-99.6)', or a dash where there is nothing to divide by."""
    if not whole:
        return "-"
    low, high = evaluate.wilson(part, whole)
    return f"{percent(part / whole)} ({100 * low:.1f}-{100 * high:.1f})"


# --- a face from elsewhere ----------------------------------------------------------------------


def drop_in(explorer):
    """A photo to upload: its class, how sure, and the map of what mattered, by the head as it now is."""
    upload = widgets.FileUpload(accept="image/*", description="Choose a photo", layout={"width": "12rem"})
    hint = "A photo of one face, up to 8 MB. It stays in this kernel; nothing is written."
    answer = html(element("p", hint, class_="mk-soft"), "mk-figure")

    def show(_=None):
        if upload.value:
            answer.value = answered(explorer, upload.value[0])

    upload.observe(show, "value")
    explorer.listen(show)
    return frame(upload, answer)


def answered(explorer, uploaded):
    """HTML of the answer to one file of a FileUpload: {name, size, content}."""
    try:
        if uploaded["size"] > UPLOAD_LIMIT:
            raise ValueError(
                f"it has {uploaded['size']:,} bytes, the limit here is {UPLOAD_LIMIT:,}; `maskkit predict` takes any"
            )
        found = explorer.explain(bytes(uploaded["content"]))
    except ValueError as error:
        return alert(f"{uploaded['name']}: {error}")
    called = explorer.classes[int(found.probabilities.argmax())]
    words = f"{uploaded['name']}: {called}, {percent(float(found.probabilities.max()))} sure"
    fig = figures.explained(found.image, found.heat, found.probabilities, explorer.classes, explorer.metrics["network"])
    return element("p", words, class_="mk-said") + figure(fig, words)
