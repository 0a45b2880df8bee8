"""The parts of the page about a run, one function each: what is told, in which order."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.records import Event, Run, RunRecord, Validation, Worker
from engine.reports.groups import best_checkpoint, groups, samples_of, scores
from engine.reports.page.document import Section
from engine.reports.page.html import Html, join, pairs, picture, remark, table, tag, text
from engine.reports.text import EVENTS, data_name, duration, number, shown, validation_columns, when, worker_columns


@dataclass(frozen=True)
class Picture:
    """What is shown, and its PNG, `width` CSS pixels wide; without one, `what` says why."""

    what: str
    png: bytes | None = None
    width: int = 0

    def html(self) -> Html:
        """Return the picture, or the line that stands for it."""
        return remark(self.what) if self.png is None else picture(self.png, self.width, self.what)


def title(run: Run) -> str:
    """Return what the page is called."""
    return f"run {run['startID']}" + (f": {shown(run['name'])}" if run["name"] else "")


def header(run: Run) -> Html:
    """Say which run it is, what it did, and how it ended."""
    state = tag("span", text(run["state"]), class_=f"badge {run['state']}")
    lines = [tag("h1", text(title(run)), state), tag("p", text(_task(run)))]
    if run["generated"]:
        said = f"The data set {shown(run['data'])} is generated: its images were drawn by a program."
        lines.append(remark(said))
    times = f"Started {' '.join(when(run['started']))}"
    times += f", ended {' '.join(when(run['finished']))}" if run["finished"] else ""
    return join([*lines, remark(f"{times}: {shown(run['reason'])}." if run["reason"] else f"{times}.")])


def _task(run: Run) -> str:
    """Return one line on what was trained on what, and how."""
    data = data_name(shown(run["data"]), run["generated"])
    count = run["workers"]
    who = f"{count} worker processes" if count and count > 1 else "1 worker process" if count else "one process"
    return f"{shown(run['model'])} on {data}: {shown(run['optimizer'])}, learning rate {run['lr']:g}, {who}"


def results(run: Run) -> Section:
    """Say in numbers what came out."""
    cards = {
        **_scores(run),
        "steps": number(run["steps"], ","),
        "epochs": number(run["epochs"], ".2f"),
        "training loss": number(run["train_loss"], ".4f"),
        f"{samples_of(run)}/s": number(run["images_per_second"], ",.0f"),
        "wall-clock time": duration(run["wall_seconds"]),
        "CPU time": duration(run["cpu_seconds"]),
    }
    boxes = (tag("div", tag("b", text(value)), tag("span", text(name))) for name, value in cards.items())
    return Section("Results", tag("div", *boxes, class_="cards"))


def _scores(run: Run) -> dict[str, str]:
    """Return the best and the last score, by what they are."""
    found, step = scores(run), run["best_step"]
    which = f", after step {step:,}" + ("" if best_checkpoint(run) else ", not kept") if step else ""
    return {f"best {found.name}{which}": found.cell(found.best), f"last {found.name}": found.cell(found.last)}


def progress(curves: Picture, rows: Sequence[Validation]) -> Section:
    """Show the curves, and the validations in numbers."""
    seen = table(validation_columns(rows), rows) if rows else remark("There was no validation.")
    return Section("Progress", join([curves.html(), tag("h3", text("Validations")), seen]))


def kernels(pictures: Sequence[Picture]) -> Section:
    """Show what the convolutions learned."""
    return Section("Kernels", join(shown.html() for shown in pictures))


def layers(norms: Picture, weights: Sequence[Picture]) -> Section:
    """Show how large the layers' values and gradients were, and, folded, how they were distributed."""
    summary = tag("summary", text("The weights of every layer over time"))
    folded = [tag("details", summary, *(shown.html() for shown in weights))] if weights else []
    return Section("Layers", join([norms.html(), *folded]))


def mistakes(confusion: Picture) -> Section:
    """Show what the network takes for what."""
    return Section("Mistakes", confusion.html())


def workers(timeline: Picture, run: Run, rows: Sequence[Worker]) -> Section:
    """Show who computed, and when."""
    alone = "The run had no workers: one process computed everything."
    who = table(worker_columns(rows, samples_of(run)), rows) if rows else remark(alone)
    return Section("Workers", join([timeline.html(), who]))


def events(rows: Sequence[Event]) -> Section:
    """List what happened."""
    return Section("Events", table(EVENTS, rows) if rows else remark("Nothing out of the ordinary happened."))


def settings(record: RunRecord) -> Section:
    """List every setting."""
    return Section("Settings", pairs(groups(record.run)["settings"]))


def origin(record: RunRecord) -> Section:
    """List versions, place and time: enough to reproduce the run."""
    parts = groups(record.run)
    digest = {"params_sha256": record.run["params_sha256"]}
    content = [
        tag("h3", text("Versions")),
        pairs(parts["versions"]),
        tag("h3", text("Run")),
        pairs(parts["run"] | digest),
    ]
    return Section("Origin", join(content))
