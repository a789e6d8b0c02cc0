"""The comparison of networks in words: ratios to the first network, sentences, and a table in Markdown."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from maskkit import evaluate
from maskkit.core import markdown
from maskkit.improve.engines import ENGINES
from maskkit.improve.network_memory import PROBED

Row = dict[str, Any]  # of `benchmark_networks.compare`


def ratio(row: Row, first: Row, engine: str, batch: int | str) -> tuple[float, float, float] | None:
    """Return how many times as long `row` takes as `first`: median, lower and upper quartile over the rounds.

    Each round gives one ratio, of two blocks measured directly one after the other. None if either lacks the engine.
    """
    cells = [entry["speed"].get(engine, {}).get(str(batch)) for entry in (row, first)]
    if None in cells:
        return None
    pairs = [mine / theirs for mine, theirs in zip(*(cell["rounds_ms"] for cell in cells), strict=True)]
    low, median, high = (float(value) for value in np.quantile(pairs, (0.25, 0.5, 0.75)))
    return median, low, high


def format_sentences(rows: list[Row]) -> list[str]:
    """Say where each network is slower than the first one, about as fast, or faster."""
    first, lines = rows[0], []
    for row in rows[1:]:
        kinds: dict[str, list[str]] = {"slower than": [], "about as fast as": [], "faster than": []}
        for engine in row["speed"]:
            for batch in row["speed"][engine]:
                quartiles = ratio(row, first, engine, batch)
                if quartiles is None:
                    continue
                median, low, high = quartiles
                kind = "slower than" if low > 1 else "faster than" if high < 1 else "about as fast as"
                kinds[kind].append(f"{ENGINES[engine]}, batch {batch}: x {median:.2f}")
        lines += [
            f"{row['arch']} is {kind} {first['arch']} on this machine, time of a pass ({'; '.join(cases)})."
            for kind, cases in kinds.items()
            if cases
        ]
    return lines


def format_table(rows: list[Row]) -> str:
    """The comparison in Markdown: one column per network, ratios to the first; then sentences, then how measured."""
    cells = ([name, *values] for name, values in table_rows(rows))
    lines = [markdown.table(["", *(row["arch"] for row in rows)], cells)]
    setting = rows[0]["setting"]
    notes = [f"{row['arch']}: {row['weights_note']}." for row in rows if row["weights_note"]]
    how = (
        f"Medians of {setting['rounds']} rounds, networks and engines interleaved; threads: {setting['threads']} each; "
        f"{setting['size_px']} px; {setting['processor']}, {setting['processors']} processors, load "
        f"{setting['load_before']} before and {setting['load_after']} after; torch {setting['versions']['torch']}. "
        f"In brackets: times the first column's, the median of the rounds' own ratios. "
        f"A pass starts from a tensor: decoding and resizing are not in it."
    )
    return "\n".join([*lines, "", *format_sentences(rows), *notes, how])


def table_rows(rows: list[Row]) -> Iterator[tuple[str, list[str]]]:
    """(name, one text per network) of each line of the table."""

    def with_ratios(
        name: str, values: list[float | None], format_value: Callable[[float], str]
    ) -> tuple[str, list[str]]:
        first = values[0]
        ratios = [f" (x {value / first:.2f})" if value and first else "" for value in values[1:]]
        texts = ["not measured" if value is None else format_value(value) for value in values]
        return name, [text + ratio for text, ratio in zip(texts, ["", *ratios], strict=True)]

    yield (
        "photos right",
        [evaluate.format_score(row["accuracy"]) if row["accuracy"] else row["accuracy_note"] for row in rows],
    )
    yield with_ratios("weights", [row["n_weights"] for row in rows], "{:,}".format)
    yield with_ratios("file, MB", [row["file_bytes"] / 1e6 for row in rows], "{:.1f}".format)
    yield with_ratios("multiply-adds of one photo, G", [row["multiply_adds"] / 1e9 for row in rows], "{:.2f}".format)
    for engine in PROBED:
        name = f"memory above the imports, batch {rows[0]['memory_batch']}, {ENGINES[engine]}, MiB"
        yield with_ratios(name, [row["memory_mib"].get(engine) for row in rows], "{:.0f}".format)
    batch_sizes = " / ".join(rows[0]["speed"]["eager"])
    for engine, name in ENGINES.items():
        yield f"one photo, {name}, p50 / p95 ms", [format_latency(row, rows[0], engine) for row in rows]
        yield (
            f"photos per second, {name}, batch {batch_sizes}",
            [format_throughput(row, rows[0], engine) for row in rows],
        )


def format_latency(row: Row, first: Row, engine: str) -> str:
    """'12.1 / 13.0 (x 0.61)', or why there is none."""
    cell = row["speed"].get(engine, {}).get("1")
    if cell is None:
        return row["notes"].get(engine, "not measured at batch 1")
    quartiles = ratio(row, first, engine, 1) if row is not first else None
    return f"{cell['p50_ms']:.1f} / {cell['p95_ms']:.1f}" + (f" (x {quartiles[0]:.2f})" if quartiles else "")


def format_throughput(row: Row, first: Row, engine: str) -> str:
    """'80 / 110 / 105 (x 1.64 / 2.10 / 2.05)', or why there is none; a rate's ratio is one over the time's."""
    if engine not in row["speed"]:
        return row["notes"][engine]
    cells = row["speed"][engine]
    text = " / ".join(f"{cell['photos_per_second']:.1f}" for cell in cells.values())
    quartiles = [ratio(row, first, engine, batch) for batch in cells]
    if row is first or None in quartiles:
        return text
    return f"{text} (x {' / '.join(f'{1 / found[0]:.2f}' for found in quartiles if found)})"
