"""``rnn-parity``: the tutorial's model, checked and trained in lockstep, in both layouts."""

from __future__ import annotations

import argparse
from typing import Any

from parity.commands.terminal import Outcome, Progress, width


def run(options: argparse.Namespace) -> Outcome:
    """Check the tutorial's model, train it in lockstep and, if asked, over seeds; in both layouts."""
    from parity.causes.search import find_cause
    from parity.checking.run import check
    from parity.lockstep.distribution import distribution
    from parity.lockstep.drift_picture import drift
    from parity.lockstep.run import tutorial_lockstep
    from rnn_core.series import LAYOUTS
    from rnn_core.tutorial import Tutorial

    found: dict[str, list[Any]] = {"check": [], "lockstep": [], "distribution": []}
    texts, holds, runs = [], True, []
    for layout in LAYOUTS:
        task = Tutorial(layout=layout)
        x, y = task.train.inputs[:16], task.train.targets[:16]
        report = check(task.model, x, y)
        find_cause(task.model, x, y, report=report)
        report.model = f"tutorial, {layout}"
        found["check"].append(report.to_dict())
        texts.append(report.text(width(), options.verbose))
        holds = holds and report.holds
    for layout in LAYOUTS:
        for dtype in ("float64", "float32"):
            progress = Progress(f"lockstep, {layout}, {dtype}, steps")
            run = tutorial_lockstep(options.seed, layout, dtype, options.epochs, progress)
            runs.append(run)
            found["lockstep"].append(run.as_dict())
            texts.append(str(run))
            holds = holds and run.holds
    if options.picture:
        drift(runs).savefig(options.picture, dpi=100)
    for layout in LAYOUTS if options.seeds else ():
        seeds = distribution(options.seeds, layout, epochs=options.epochs, progress=Progress(f"{layout}, models"))
        found["distribution"].append(seeds.as_dict())
        texts.append(str(seeds))
        holds = holds and seeds.holds
    texts.append("All holds." if holds else "Not all holds: see above.")
    return {"holds": holds, **found}, holds, texts
