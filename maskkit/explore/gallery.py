"""The gallery of 06_explore: photos sorted and filtered, each with its label to choose; curves and confusion matrix.

It shows an `Explorer` and passes clicks on to it. Its words and numbers are in the run's language; names of classes and
files stay as they are. Text such as file names is escaped by `markup.element`.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
from markupsafe import Markup

from maskkit import data, evaluate, plots
from maskkit.core import class_names
from maskkit.core.messages import translatable
from maskkit.explore.explorer import ANY, SORTS, VERDICTS, Explorer
from maskkit.explore.widgets import figure_html, frame, html
from maskkit.html.markup import element, image
from maskkit.html.render import class_list

PER_PAGE = 12
EXCLUDED = -1  # the choice "excluded" beside the indices of classes
MOST_BUTTONS = 4  # classes: more are chosen from a list
MOST_SPELLED = 10  # classes whose matrix is spelled out in words
PARTS = {"train": translatable("training photos"), "val": translatable("validation photos")}
PART_OF_ONE = {"train": translatable("training photo"), "val": translatable("validation photo")}


class Gallery:
    """Photos to view, correct and exclude, with the results of training below them.

    Each photo keeps its own tile: a late second click still refers to the same photo, and choosing a label again
    changes nothing.
    """

    def __init__(self, explorer: Explorer) -> None:
        self.explorer, self.spoken, self.page = explorer, explorer.spoken, 0
        spoken = self.spoken
        self.tiles: dict[int, Tile] = {}
        labels = (ANY, *class_names.by_name(explorer.classes, str))
        choices = {"sort": SORTS, "label": labels, "part": (ANY, *data.PARTS), "verdict": (ANY, *VERDICTS)}
        names = {
            "sort": spoken.phrase("Sorted by"),
            "label": spoken.phrase("Class"),
            "part": spoken.phrase("Part"),
            "verdict": spoken.phrase("Show"),
        }

        def shown(name: str, option: str) -> str:
            is_class = name == "label" and option in explorer.classes  # not translated, unlike all of them
            return option if is_class else spoken.translate(PARTS.get(option, option))

        self.filters = {
            name: make_dropdown(names[name], [(shown(name, option), option) for option in options])
            for name, options in choices.items()
        }
        for dropdown in self.filters.values():
            dropdown.observe(lambda _: self.show_page(0), "value")
        self.status, self.message = html("", "mk-status"), html()
        self.position = html()
        self.previous, self.next = (
            make_button(spoken.phrase("previous"), "arrow-left"),
            make_button(spoken.phrase("next"), "arrow-right"),
        )
        self.undo = make_button(spoken.phrase("undo"), "undo")
        self.previous.on_click(lambda _: self.show_page(self.page - 1))
        self.next.on_click(lambda _: self.show_page(self.page + 1))
        self.undo.on_click(lambda _: self.undo_last())
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
            self.status,
            self.message,
            widgets.Box([*self.filters.values()], layout=row),
            widgets.Box([self.previous, self.next, self.undo, self.position], layout=row),
            self.grid,
            charts,
        )
        explorer.listen(self.show)
        self.show()

    def do(self, action: Callable, *arguments: Any) -> Any:
        """Run the action of a click and return its result; show an error above the photos."""
        self.message.value = ""
        try:
            return action(*arguments)
        except (ValueError, OSError) as error:
            problem = self.spoken.phrase("Nothing was changed: {error}", error=str(error))
            self.message.value = element("p", problem, class_="mk-problem", role="alert")
            self.show_page(self.page)  # tiles show the current labels, not what was clicked

    def undo_last(self) -> None:
        """Undo, and show what was undone: the last line may be of another day, or of another run's photo."""
        undone = self.do(self.explorer.undo)
        if undone:
            label = undone["label"] or self.spoken.translate("excluded")
            line = self.spoken.phrase("Taken back: {file}, {label}", file=undone["source"], label=label)
            self.message.value = element("p", line, class_="mk-soft", aria_live="polite")
        elif not self.message.value:
            nothing = self.spoken.phrase("There is nothing to take back.")
            self.message.value = element("p", nothing, class_="mk-soft", aria_live="polite")

    def show(self) -> None:
        """Show the results: the numbers first, the figures, which take longest, last."""
        self.status.value = status_html(self.explorer)
        self.show_page(self.page)
        learned, metrics, spoken = self.explorer.learned, self.explorer.metrics, self.spoken
        counts = ""
        if len(learned.confusion) <= MOST_SPELLED:
            counts = spoken.phrase(", rows true: {counts}", counts=str(learned.confusion.tolist()))
        titles = {"photos": metrics["photos"], "arch": metrics["network"], "language": spoken.code}
        self.matrix.value = figure_html(
            plots.confusion(learned.confusion, self.explorer.classes, **titles),
            spoken.phrase("Confusion matrix of {classes}", classes=class_list(self.explorer.classes)) + counts,
        )
        self.curves.value = figure_html(
            plots.training_curves(learned.history, **titles),
            spoken.phrase(
                "Loss and accuracy over {n} epochs; best: {score}",
                n=len(learned.history),
                score=evaluate.score_message(learned.best)["message"],
            ),
        )

    def show_page(self, page: int) -> None:
        """Show a page of the photos that pass the filters."""
        places = self.explorer.select(**{name: dropdown.value for name, dropdown in self.filters.items()})
        last = max(0, (len(places) - 1) // PER_PAGE)
        self.page = min(max(page, 0), last)
        shown = places[self.page * PER_PAGE : (self.page + 1) * PER_PAGE]
        for place in shown:
            if place not in self.tiles:
                self.tiles[place] = Tile(self.explorer, place, functools.partial(self.do, self.explorer.change))
            self.tiles[place].show()
        self.grid.children = [self.tiles[place].widget for place in shown]
        self.previous.disabled, self.next.disabled = self.page == 0, self.page == last
        first, spoken = self.page * PER_PAGE, self.spoken
        n = spoken.phrase_plural(len(places), "{n:,} photo", "{n:,} photos")
        numbers = {"first": first + 1, "last": first + len(shown), "photos": n}
        self.position.value = (
            spoken.phrase("{first}-{last} of {photos}", **numbers) if shown else spoken.phrase("no photo")
        )


class Tile:
    """One photo with its predictions, and its label to choose."""

    def __init__(self, explorer: Explorer, place: int, change: Callable[[int, int | None], Any]) -> None:
        self.explorer, self.place, self._change = explorer, place, change
        names = class_names.natural_order(explorer.classes)
        options = [*((explorer.classes[at], at) for at in names), (explorer.spoken.translate("excluded"), EXCLUDED)]
        kind = widgets.ToggleButtons if len(explorer.classes) <= MOST_BUTTONS else widgets.Dropdown
        self.choice = kind(options=options, value=self.current(), layout={"width": "100%", "margin": "0"})
        self.choice.observe(self.choose, "value")
        self.photo = html()
        self.photo.layout.margin = "0"
        self.widget = widgets.VBox([self.photo, self.choice])
        self.widget.add_class("mk-tile")

    def current(self) -> int:
        """The option of the photo's current label."""
        return EXCLUDED if self.explorer.excluded[self.place] else int(self.explorer.labels[self.place])

    def choose(self, change: dict[str, Any]) -> None:
        """Pass a new choice on to the explorer."""
        if change["new"] != self.current():
            self._change(self.place, None if change["new"] == EXCLUDED else change["new"])

    def show(self) -> None:
        """Show the explorer's current state."""
        explorer, place, learned, spoken = self.explorer, self.place, self.explorer.learned, self.explorer.spoken
        self.choice.value = self.current()
        predicted = int(learned.probabilities[place].argmax())
        wrong = predicted != explorer.labels[place] and not explorer.excluded[place]
        share, answer = spoken.percent(learned.probabilities[place, predicted]), explorer.classes[predicted]
        lines = [f"{'✗' if wrong else '✓'} {share} {answer}"]
        if explorer.excluded[place]:
            lines[0] = spoken.phrase("excluded; {label}?", label=answer)
            lines.append(spoken.phrase("learns and counts nowhere"))
        elif learned.unseen is not None:
            own = float(explorer.label_probability(learned.unseen)[place])
            lines.append(spoken.phrase("unseen: label {share:percent}", share=own))
        original, part = (
            explorer.classes[explorer.original_labels[place]],
            spoken.translate(PART_OF_ONE[explorer.parts[place]]),
        )
        lines.append(
            spoken.phrase("was {label}", label=original) if explorer.changed[place] else f"{part} · {original}"
        )
        lines.append(explorer.name(place))
        for name, active in (("mk-wrong", wrong), ("mk-aside", explorer.excluded[place])):
            (self.widget.add_class if active else self.widget.remove_class)(name)
        paragraphs = Markup("").join(
            element("p", line, class_="mk-soft" if number > 1 else "", title=line) for number, line in enumerate(lines)
        )
        picture = image(explorer.thumbnail(place), explorer.name(place))
        self.photo.value = picture + paragraphs


def status_html(explorer: Explorer) -> str:
    """The current score, the run's score, and the file of changes."""
    learned, metrics, spoken = explorer.learned, explorer.metrics, explorer.spoken
    keep = explorer.parameters.get("keep", "best")
    n_aside = int(explorer.excluded.sum())
    n_labels = int((explorer.changed & ~explorer.excluded).sum())
    n_val = int((explorer.changed & (explorer.parts == "val")).sum())

    def score(of: Mapping[str, Any]) -> Markup:
        return spoken.stored(evaluate.score_message(of))

    kept, epoch = element("b", score(learned.kept)), learned.kept["epoch"]
    if keep == "best":
        first = spoken.say("{score} of the validation photos, best epoch {epoch}", score=kept, epoch=epoch)
    else:
        first = spoken.say("{score} of the validation photos, last epoch {epoch}", score=kept, epoch=epoch)
    changed = spoken.phrase_plural(n_labels, "{n:,} label changed", "{n:,} labels changed")
    excluded = spoken.phrase_plural(n_aside, "{n:,} photo excluded", "{n:,} photos excluded")
    doubtful = spoken.phrase_plural(len(explorer.suspects), "{n:,} label likely wrong", "{n:,} labels likely wrong")
    lines = [
        first,
        spoken.say("the run as it was made: {score}", score=score(metrics[keep])),
        spoken.say(
            "{changed}, {excluded}, kept in {file}",
            changed=changed,
            excluded=excluded,
            file=element("code", explorer.file.name),
        )
        + f" · {doubtful}",
        element("span", spoken.phrase("learned in {seconds:.2f} s", seconds=learned.seconds), class_="mk-soft"),
    ]
    if n_val:
        one = translatable(
            "{n:,} change in the validation set changed what is measured; by the labels as found: {score}"
        )
        many = translatable(
            "{n:,} changes in the validation set changed what is measured; by the labels as found: {score}"
        )
        lines.insert(2, spoken.say(one if n_val == 1 else many, n=n_val, score=score(learned.original_score)))
    if explorer.tuned:
        lines.append(
            spoken.say("only the head learns here: the run's last stages stay as they were, a new run tunes them anew")
        )
    if learned.why:
        why = spoken.translate(learned.why)
        lines.append(spoken.say("likely wrong labels cannot be told: {reason}", reason=why))
    return element("div", *(element("p", line, class_="mk-said") for line in lines), role="status")


def make_dropdown(name: str, options: Sequence[tuple[str, str]]) -> widgets.Dropdown:
    return widgets.Dropdown(
        options=options, description=name, layout={"width": "14rem"}, style={"description_width": "initial"}
    )


def make_button(name: str, icon: str) -> widgets.Button:
    return widgets.Button(description=name, icon=icon, layout={"width": "7rem"})
