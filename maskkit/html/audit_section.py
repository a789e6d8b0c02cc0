"""The audit on a page: six lights, then what each is made of. For report.html, and audit.html by itself."""

import math
import shlex
from pathlib import Path

from maskkit.core import class_names, disk
from maskkit.html import languages, markup
from maskkit.html.languages import number as localized
from maskkit.html.languages import say
from maskkit.html.markup import PRIVACY, PRIVACY_DRAWN, SIGNS, Markup, details, ends, mark, percent, stored, table, text

VERSION = 2  # of audit.json
PENDING = "not measured yet: make trust"
LIGHTS = ("split_luck", "leaks", "shortcuts", "mouth", "other_source", "calibration")
MAX_ROWS, MAX_FILES = 8, 100  # longer tables are folded away; of longer lists of files the rest is counted
LISTED = "suspects.csv, beside this page, lists all."
JUDGED = (
    "A light judges the 95 % interval unless its reason says otherwise: green where all of it lies on the good side of "
    "the first limit, red where all of it lies beyond the second, amber where it is neither."
)
SECTIONS = {  # title, figures: the section's own first
    "splits": ("Luck of the split", ("splits",)),
    "leaks": ("Near copies in both parts", ("leaks",)),
    "shortcuts": ("What can be guessed without the face", ("shortcuts",)),
    "regions": ("Where the network looks", ("regions", "region_examples", "maps")),
    "against": ("Photos from another source", ("against", "against_mistakes")),
    "files": ("Odd files", ("files",)),
    "calibration": ("Whether it is as sure as it should be", ("calibration",)),
}
LOOK_FOR = {
    "lights": "Look for bars that cross a limit: with more photos those lights could still turn either way.",
    "splits": "Look at how wide the scores lie: one split gives one of them, by luck.",
    "leaks": "Look for photos with a near copy among the training photos: they are recognised, not classified.",
    "shortcuts": "Look for a rule that never sees a face and still comes close to the network: it may use it too.",
    "regions": "Look for what costs most when hidden: that is where it looks. For masks it should be the lower half.",
    "region_examples": "Look for whether each filling hides what its name says, and nothing else.",
    "maps": "Look for bright spots on mouth and nose; spots on the background point to a shortcut.",
    "against": "Look for how much is lost on photos from elsewhere: they share neither camera nor near copies.",
    "against_mistakes": "Look for what these mistakes share: another kind of mask, crop or light, or a wrong label.",
    "files": "Look for files that do not belong here: they teach and measure something else.",
    "calibration": "Look for points below the diagonal: there it is surer than it is right.",
}
SHOWN = {
    "region_examples": "One photo with each of its regions hidden in each way.",
    "maps": "Photos under a map of how much each of their regions counts for the network's answer.",
    "against_mistakes": "Photos that were called something else than they are; the tables below list them.",
}
SPLITS = {
    "last": "last epoch, mean over the splits",
    "best": "best epoch, mean over the splits",
    "reach": "splits that reach the report's score",
    "unseen": "photos not drawn, last epoch",
    "unseen_best": "photos not drawn, best epoch",
}
LEAKS = {
    "sha256": "the same bytes (SHA-256)",
    "perceptual_hash": "the same picture (perceptual hash)",
    "features": "the same scene (network features)",
    "alignment": "one laid on the other (aligned)",
    "all": "all of these together",
    "held_out": "held-out photos with a near copy among the training photos",
}
KINDS = {
    "guess": "guess: the most frequent class",
    "blind": "blind: never sees the face",
    "weak": "weak: sees little of the photo",
    "real": "real: the audited network",
}
HIDDEN = {"whole": "nothing", "lower_half": "lower half", "upper_half": "upper half", "background": "background"}
FILLS = {"blur": "blurred", "mean": "mean colour"}
AGAINST = {
    "forward": "trained here, measured on {folder}",
    "forward_last": "trained here to the last epoch, measured on {folder}",
    "backward": "trained on {folder}, measured here",
}
LIGHT_OF = {"splits": "split_luck", "regions": "mouth", "against": "other_source"}  # the rest: of the same name
CALIBRATION = {
    "ece": "gap between sureness and accuracy (ECE)",
    "ece_scaled": "the same, after temperature scaling",
    "dont_know": "errors among those answered, if it may say “don't know”",
}


# --- reading ------------------------------------------------------------------------------------


def read(folder, run=None):
    """The audit of a folder, and what is wrong with it.

    Args:
        folder: where audit.json may lie; run: the run's name, for the command that makes it anew.

    Returns:
        (the audit, ""); (None, "") where there is none; (None, what is wrong and what to do) where it cannot be used.
    """
    path = Path(folder) / "audit.json"
    if not path.exists():
        return None, ""
    try:
        audit = disk.read_json(path)
        wrong = fault(audit)
    except (OSError, ValueError, RecursionError) as error:  # unreadable, no JSON, JSON nested without end
        wrong = f"{type(error).__name__}: {error}"
    if wrong:
        said = "audit.json cannot be used ({wrong}). Remove the file, then: {command}"
        return None, say(said, wrong=wrong, command=command(run))
    return audit, ""


def number(something):
    return isinstance(something, (int, float)) and not isinstance(something, bool) and math.isfinite(something)


def optional(shape):
    return lambda something: something is None or fits(something, shape)


def interval(something):
    return something is None or (fits(something, [number]) and len(something) == 2)


def fits(something, shape):
    """Whether a value of JSON has a shape: a type, a test, [shape of each] or {key: shape of its value}."""
    if isinstance(shape, type):
        return isinstance(something, shape)
    if isinstance(shape, list):
        return isinstance(something, list) and all(fits(each, shape[0]) for each in something)
    if isinstance(shape, dict):
        return isinstance(something, dict) and all(k in something and fits(something[k], shape[k]) for k in shape)
    return shape(something)


LIGHT = list(SIGNS).__contains__
ENTRY = {"value": optional(number), "interval": interval, "n": optional(number), "light": LIGHT, "sentence": str}
SCORE = {"class": str, "precision": optional(number), "recall": optional(number), "n": number}
MORE = {  # what entries may hold beside that, or null
    "thresholds": {"green": number, "red": number},
    "title": str,
    "reason": str,
    "distribution": [number],
    "flattery": number,
    "flattery_interval": interval,
    "pairs": number,
    "pairs_across_parts": number,
    "pairs_across_classes": number,
    "groups": number,
    "photos_in_groups": number,
    "own": number,
    "by_detector": lambda found: isinstance(found, dict) and all(map(optional(number), found.values())),
    "confusion": [[number]],
    "per_class": [SCORE | {"recall_interval": interval, "f1": optional(number)}],
    "mistakes": [{"file": str, "label": str, "predicted": str, "probability": number}],
    "files": [str],
    "bins": [{"confidence": optional(number), "accuracy": optional(number), "n": number, "interval": interval}],
    "curve": [{"threshold": number, "answered": number, "error": optional(number), "n": number}],
    "temperature": number,
    "threshold": number,
    "answered": number,
    "folder": str,
    **dict.fromkeys(("kind", "hidden", "fill", "arch", "sees", "measured_on"), str),
}
AUDIT = {
    "classes": [str],
    "n": number,
    "networks": dict,
    "lights": {key: {"title": str} for key in LIGHTS},
    **dict.fromkeys(SECTIONS, dict),
}


def fault(audit):
    """What is wrong with an audit's form, '' where nothing is."""
    if not isinstance(audit, dict):
        return "it holds no audit"
    if audit.get("version") != VERSION:
        return f"its version is {audit.get('version')!r:.20}, this page reads version {VERSION}"
    lacking = [key for key, shape in AUDIT.items() if key not in audit or not fits(audit[key], shape)]
    if lacking:
        return f"{', '.join(lacking)}: missing or not as it should be"
    for part in ("lights", *SECTIONS):
        for key, entry in audit[part].items():
            if not fits(entry, ENTRY) or not all(fits(entry.get(more), optional(MORE[more])) for more in MORE):
                return f"{part}.{key:.40} is not as it should be"
    return ""


# --- the pages ----------------------------------------------------------------------------------


def write(audit, folder):
    """Write <folder>/audit.html: the audit on a page of its own.

    Args:
        audit: audit.json's dict, or None; folder: holds figures/trust_<name>.png where they were drawn.

    Returns:
        the page's path.
    """
    folder = Path(folder)
    metrics = disk.read_json(folder / "metrics.json") if (folder / "metrics.json").exists() else {}
    known = audit or {}
    source, photos = known.get("source", metrics.get("source")), known.get("photos", "these photos")
    privacy = PRIVACY_DRAWN if source == "demo" and not shows_others(folder) else PRIVACY
    name = (metrics.get("run", {}) | known.get("run", {})).get("name")
    said = "Nothing measured yet"
    if audit:
        shown = [audit["lights"][key]["light"] for key in LIGHTS]
        said = "Six lights: " + ", ".join(f"{shown.count(name)}\u00a0{name}" for name in SIGNS)
    parts = [
        f'<header><p class="soft">maskkit audit</p><h1>{text(said)} '
        f"<span>how far the accuracy on {text(photos)} can be trusted</span></h1>"
        f'<p class="soft">{privacy}</p>{facts(audit)}</header>',
        "<main>",
        section(audit, folder, name, level=2),
        markup.section("How it was made", made(audit)) if audit else "",
        "</main>",
        f"<footer><p>{privacy}</p><p>Written by maskkit.</p></footer>",
    ]
    path = folder / "audit.html"
    disk.write_text(path, markup.document(f"{photos}: {said[0].lower()}{said[1:]}", parts))
    return path


def section(audit, folder, run=None, level=3):
    """The audit's part of a page, as HTML: the lights, then a section for each part of audit.json.

    Args:
        audit: audit.json's dict, or None where there is none yet; folder: holds figures/trust_<name>.png where drawn;
        run: the run's name, for the command that measures what is missing; level: of the headings, 2 or 3.
    """
    if audit is None:
        return f"<p><strong>{text(pending({}, '', run))}</strong></p>"
    drawn = picture(audit, folder, "lights")
    parts = [markup.section(say("The six lights"), lights(audit, run, level + 1), drawn, level=level)]
    for part, (title, figures) in SECTIONS.items():
        pictures = [picture(audit, folder, name, part) for name in figures]
        intro = "" if pictures[0] else f'<p class="soft">{text(say(LOOK_FOR[figures[0]]))}</p>'
        body = intro + "".join(pictures) + entries(audit, part, run)
        if not audit[part]:
            body = f"<p>{why_empty(audit, part, run)}</p>"
        elif audit.get("scope") == "instant" and part in ("leaks", "shortcuts"):
            body += f"<p>{text(say('The rest is {pending}', pending=pending(audit, part, run)))}</p>"
        parts.append(markup.section(say(title), body, level=level))
    return "".join(parts)


def lamps(audit):
    """The six lights as one line of links to their cards; '' where there is no audit."""
    if audit is None:
        return ""
    items = ""
    for key in LIGHTS:
        light = audit["lights"][key]
        words = f"{mark(light['light'], with_word=False)} {stored(light['title'])}: {say(light['light'])}"
        items += f'<li class="{light["light"]}"><a href="#light-{key}">{words}</a></li>'
    asked = say("How far to trust it")
    return f'<nav aria-label="{asked}"><p>{asked}:</p><ul class="lamps">{items}</ul></nav>'


def shows_others(folder):
    """Whether the audit's figures show photos of another source, whose faces need not be drawn ones."""
    return (Path(folder) / "figures" / "trust_against_mistakes.png").exists()


# --- the lights ---------------------------------------------------------------------------------


def lights(audit, run, level):
    cards = []
    for key in LIGHTS:
        light = audit["lights"][key]
        look = "amount none" if light["value"] is None else "amount"
        amount = f"<small>{say('95 % interval')} {ends(light['interval'])}</small>" if light["interval"] else ""
        cards.append(
            f'<li id="light-{key}" class="{light["light"]}"><h{level}>{stored(light["title"])}</h{level}>'
            f'<p>{mark(light["light"])}</p><p class="{look}">{amount_of(light)}{amount}</p>'
            f'<p class="said">{sentence(audit, key, light, run)}</p>{limits(light)}</li>'
        )
    return f'<p>{say(JUDGED)}</p><ul class="lights">{"".join(cards)}</ul>'


def limits(light):
    """The thresholds in words, and the reason for them; some thresholds are known only once the light is measured."""
    reason = stored(light.get("reason") or "")
    if light["value"] is None or not light.get("thresholds"):
        return f'<p class="limits said">{reason}</p>'
    green, red = (localized(f"{100 * light['thresholds'][key]:.3g} %") for key in ("green", "red"))
    small_is_good = light["thresholds"]["green"] < light["thresholds"]["red"]
    words = "Green up to {green}, red from {red}" if small_is_good else "Green from {green}, red up to {red}"
    return f'<p class="limits">{say(words, green=green, red=red)}: {reason}</p>'


def command(run):
    return "make trust" + (f" RUN={shlex.quote(run)}" if run else "")


def pending(audit, part, run):
    """What to run for a light or section that was not measured."""
    elsewhere = audit.get("scope") == "whole" and part in ("against", "other_source")
    return f"{say('not measured yet')}: {command(run)}" + (" AGAINST=ANOTHER_FOLDER" if elsewhere else "")


def sentence(audit, part, entry, run):
    """What an entry says, as Markup; where it was not measured, with the command that measures it."""
    said = entry["sentence"]
    if said.startswith(PENDING):
        so_far = said.removeprefix(PENDING)
        found = so_far.removeprefix(" (so far: ").removesuffix(")")
        rest = f" ({say('so far')}: {stored(found)})" if found != so_far else text(so_far)
        return Markup(text(pending(audit, part, run)) + rest)
    return stored(said) if said[-1:] in ".!?" else Markup(f"{stored(said)}.")


def why_empty(audit, part, run):
    """A section without entries: its light's reason, where that is what there is to say."""
    light = audit["lights"].get(LIGHT_OF.get(part, part))
    known = light is None or light["light"] != "unknown"
    return text(pending(audit, part, run)) if known else sentence(audit, part, light, run)


def amount_of(entry):
    if entry["value"] is None:
        return say("not measured" if entry["sentence"].startswith(PENDING) else "undefined")
    return percent(entry["value"])


# --- the sections -------------------------------------------------------------------------------


def picture(audit, folder, name, part="lights"):
    """A figure of the audit with its numbers in words; '' where it was not drawn."""
    path = Path(folder) / "figures" / f"trust_{name}.png"
    if not path.exists():
        return ""
    found = [f"{in_words(audit, part, key)}: {amount_of(entry)}" for key, entry in audit[part].items()]
    rest = [say("{n} more in the table below", n=len(found) - MAX_ROWS)] if len(found) > MAX_ROWS else []
    shown = say(SHOWN[name]) if name in SHOWN else "; ".join(found[:MAX_ROWS] + rest) + "."
    return markup.figure(path, shown, say(LOOK_FOR[name]))


def entries(audit, part, run):
    """The entries of one part of the audit as a table, and what else they hold folded away below it."""
    rows = []
    for key, entry in audit[part].items():
        kind = [text(say(KINDS[entry["kind"]]))] if entry.get("kind") in KINDS else []
        given = "; ".join(kind + [stored(entry[what]) for what in ("sees", "measured_on") if entry.get(what)])
        name = Markup(f'{text(in_words(audit, part, key))}<span class="given">{given}</span>')
        counted = "{n} splits" if key.endswith("_reach") else "{n} photos"
        n = "-" if entry["n"] is None else say(counted, n=localized(f"{entry['n']:,}"))
        said = Markup(sentence(audit, part, entry, run) + text(further(entry)))
        rows.append([name, amount_of(entry), ends(entry["interval"]), n, mark(entry["light"]), said])
    columns = tuple(map(say, ("what", "value", "95 % interval", "measured on", "light", "in words")))
    caption = say("{part}: what was measured.", part=say(SECTIONS[part][0]))
    listed = table(caption, columns, rows, numbers=(1, 2, 3), long=(5,), stacked=True)
    if len(rows) > MAX_ROWS:
        listed = details(say("All {n} numbers as a table", n=len(rows)), listed)
    return listed + "".join(behind(audit, part, key, entry) for key, entry in audit[part].items())


def in_words(audit, part, key):
    """What an entry is, in words; the key itself where it is none of ours."""
    entry = audit[part][key]
    arch = next((name for name in audit["networks"] if key.startswith(f"{name}_")), None)
    rest = key.removeprefix(f"{arch}_")
    if arch and part == "splits" and rest in SPLITS:
        return f"{arch}: {say(SPLITS[rest])}"
    if arch and part == "regions" and rest == "mouth":
        return f"{arch}: {say('photos that need the lower half more than the upper')}"
    if part == "regions" and entry.get("hidden") in HIDDEN:
        fill = f" ({say(FILLS[entry['fill']])})" if entry.get("fill") in FILLS else ""
        hidden = say("{part} hidden", part=say(HIDDEN[entry["hidden"]]))
        return f"{entry.get('arch', arch)}: {hidden}{fill}"
    if part == "against" and key in AGAINST:
        return say(AGAINST[key], folder=entry.get("folder") or say("the other photos"))
    if entry.get("title"):
        return languages.translate(entry["title"]) or entry["title"]
    ours = LEAKS | CALIBRATION
    return say(ours[key]) if key in ours else key.replace("_", " ")


def further(entry):
    """Single numbers that an entry holds beside its value, as one more sentence."""
    found = []
    if entry.get("flattery") is not None:
        by = {"points": localized(f"{100 * entry['flattery']:.1f}"), "ends": ends(entry.get("flattery_interval"))}
        found.append(say("The best epoch flatters by {points} points (95 % interval {ends}).", **by))
    if entry.get("own") is not None:
        found.append(say("On photos of its own source: {share}.", share=percent(entry["own"])))
    if entry.get("temperature") is not None:
        found.append(say("Temperature {value}.", value=localized(f"{entry['temperature']:.2f}")))
    if entry.get("answered") is not None and entry.get("threshold") is not None:
        shares = {"answered": percent(entry["answered"]), "sure": percent(entry["threshold"])}
        found.append(say("It answers {answered} where it must be {sure} sure.", **shares))
    return "".join(f" {words}" for words in found)


def behind(audit, part, key, entry):
    """The lists that an entry holds, each folded away."""
    title, folded = in_words(audit, part, key), []
    for what, columns, rows in (*measures(entry), *answers(audit, entry)):
        words = f"{title}: {what}"
        numbers = () if columns[0] == say("file") else range(1, len(columns))
        folded.append(details(words, table(f"{words}.", columns, rows, numbers=numbers, long=(0,))))
    return "".join(folded) + markup.names(title, entry.get("files") or (), MAX_FILES, say(LISTED))


def measures(entry):
    """(what, columns, rows) of each list of numbers."""
    if entry.get("distribution"):
        n = len(entry["distribution"]) - 1
        rows = [
            [say("{n} of {of}", n=right, of=n), localized(f"{splits:,}")]
            for right, splits in enumerate(entry["distribution"])
            if splits
        ]
        yield say("how often each score came up"), (say("photos right"), say("splits")), rows
    if entry.get("pairs") is not None:
        keys = ("pairs", "pairs_across_parts", "pairs_across_classes", "groups", "photos_in_groups")
        rows = [
            [say(name.replace("_", " ")), localized(f"{entry[name]:,}")] for name in keys if entry.get(name) is not None
        ]
        yield say("pairs and groups"), (say("what"), say("count")), rows
    if entry.get("by_detector"):
        rows = [
            [say(LEAKS[name]) if name in LEAKS else name, percent(share)]
            for name, share in entry["by_detector"].items()
        ]
        yield say("by what finds them"), (say("found by"), say("share")), rows
    if entry.get("bins"):
        rows = [
            [*map(percent, (bin["confidence"], bin["accuracy"])), ends(bin["interval"]), localized(f"{bin['n']:,}")]
            for bin in entry["bins"]
        ]
        columns = ("mean sureness", "accuracy", "95 % interval", "photos")
        yield say("accuracy by sureness"), tuple(map(say, columns)), rows
    if entry.get("curve"):
        rows = [
            [*map(percent, (at["threshold"], at["answered"], at["error"])), localized(f"{at['n']:,}")]
            for at in entry["curve"]
        ]
        columns = ("must be so sure", "answered", "errors among them", "photos answered")
        yield say("errors by how sure it must be"), tuple(map(say, columns)), rows


def answers(audit, entry):
    """(what, columns, rows) of each list of what photos were called."""
    classes = audit["classes"]
    if entry.get("confusion") and len(classes) > markup.MOST_NAMES:
        pairs = markup.mistaken(classes, entry["confusion"])[:MAX_FILES]
        yield say("the most frequent mistakes"), tuple(map(say, ("is", "was called", "photos"))), pairs
    elif entry.get("confusion"):
        rows = [[say("true {name}", name=name), *row] for name, row in zip(classes, entry["confusion"], strict=False)]
        called = (say("called {name}", name=name) for name in classes)
        yield say("what was called what"), (say("photos"), *called), rows
    if entry.get("per_class"):
        rows = [
            [
                row["class"],
                row["n"],
                percent(row["precision"], say("never predicted")),
                percent(row["recall"], say("no photo")),
                ends(row["recall_interval"]),
                percent(row["f1"]),
            ]
            for row in class_names.by_name(entry["per_class"], lambda row: row["class"])
        ]
        columns = ("class", "photos", "precision", "recall", "95 % interval of recall")
        yield say("per class"), (*map(say, columns), "F1"), rows
    if entry.get("mistakes"):
        found, n = entry["mistakes"][:MAX_FILES], len(entry["mistakes"])
        rows = [[row["file"], row["label"], row["predicted"], percent(row["probability"])] for row in found]
        what = say("mistakes, {n}", n=n)
        if n > MAX_FILES:
            what = say("mistakes, the first {most} of {n}", most=MAX_FILES, n=localized(f"{n:,}"))
        yield what, tuple(map(say, ("file", "is", "was called", "probability"))), rows


# --- how it was made ----------------------------------------------------------------------------


def facts(audit):
    """What was audited, as the boxes of a page's head."""
    if audit is None:
        return ""
    scope = {"instant": "only what takes no time", "whole": "everything"}.get(audit.get("scope"), "not recorded")
    return markup.facts(
        {
            "Photos": f"{audit.get('photos', 'not recorded')}: {audit['n']:,} could be read",
            "Classes": markup.class_list(audit["classes"]),
            "Audited network": f"{audit.get('arch', 'not recorded')}, {audit.get('model', 'not recorded')}",
            "Measured": scope,
        }
    )


def made(audit):
    rows = []
    for name, network in audit["networks"].items():
        said = f"weights: {network.get('weights') or 'none'}"
        rows.append([name, "; ".join(filter(None, (said, network.get("note"))))])
    for part in ("recipe", "run", "versions"):
        rows += [[name.replace("_", " "), found] for name, found in (audit.get(part) or {}).items()]
    rows += [
        [f"time for {name.replace('_', ' ')}", f"{seconds:.1f} s"]
        for name, seconds in (audit.get("seconds") or {}).items()
        if number(seconds)
    ]
    return table("Times differ from run to run.", ("what", "value"), rows, long=(1,))
