"""A summary of clips or annotations, and a list of unreadable files."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from tt_actions.clips.joint_preprocessing import JointSpec
from tt_actions.clips.records import ClipRecord, class_names
from tt_actions.errors import UnreadableError
from tt_actions.sources.user_clips import UserClips, UserJoints
from tt_actions.sources.user_rallies import UserRallies, is_annotation
from tt_actions.video.depth import probe_depth
from tt_actions.video.depth_files import is_depth
from tt_actions.video.info import VideoInfo, probe


def check_videos(data: Path) -> int:
    """Summarise clips that are videos, or annotations; return the exit code.

    Args:
        data: Folder, manifest or annotations.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If the path contains no clips for training.
    """
    records = _list_clips(data)
    videos = list(dict.fromkeys(record.path for record in records))
    with ThreadPoolExecutor() as threads:
        probed = track(
            threads.map(_probe, videos), "Opening", total=len(videos), console=Console(stderr=True)
        )
        found = dict(zip(videos, probed, strict=True))
    durations, problems = {}, {}
    for record in records:
        outcome = _duration_s(record, found[record.path])
        if isinstance(outcome, str):
            problems[record.name] = outcome
        else:
            durations[record] = outcome
    formats = _format_table(info for info in found.values() if isinstance(info, VideoInfo))
    return _report(records, durations, problems, formats)


def check_joints(data: Path, layout: str) -> int:
    """Summarise clips that are joint files; return the exit code.

    Args:
        data: Folder or manifest.
        layout: Layout of the joints.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If the path contains no clips for training, or the layout is unknown.
    """
    spec, records = JointSpec(layout), UserJoints(data).records()
    durations, problems = {}, {}
    for record in records:
        try:
            times_s = spec.read(record.path, record.start_s, record.end_s, record.roi).times_s
        except UnreadableError as error:
            problems[record.name] = str(error)
        else:
            durations[record] = len(times_s) / spec.fps
    table = _table("Files by format", "suffix", ["layout", "files"])
    for suffix, count in Counter(path.suffix for path in {record.path for record in records}).most_common():
        table.add_row(suffix, spec.layout, str(count))
    return _report(records, durations, problems, table)


def _report(
    records: list[ClipRecord], durations: dict[ClipRecord, float], problems: dict[str, str], formats: Table
) -> int:
    """Print the tables and the unreadable files, and return the exit code."""
    console = Console()
    console.print(_class_table(records, durations))
    if any(record.group for record in records):
        table = _group_table(records)
        fits = Console(width=10_000).measure(table).maximum <= console.width
        console.print(table if fits else _narrow_group_table(records))
    console.print(formats)
    for problem in dict.fromkeys(problems.values()):
        console.print(f"[red]unreadable:[/red] {escape(problem)}", soft_wrap=True)
    num_files = len({record.path for record in records})
    console.print(f"{len(records)} clips in {num_files} files, {len(problems)} of them unreadable.")
    return 1 if problems else 0


def _list_clips(path: Path) -> list[ClipRecord]:
    if not is_annotation(path):
        return UserClips(path).records()
    return [
        replace(recording, label=stroke.label, start_s=stroke.start_s, end_s=stroke.end_s, strokes=None)
        for recording in UserRallies(path).records()
        for stroke in recording.strokes or ()
    ]


def _probe(video: Path) -> VideoInfo | str:
    try:
        return probe_depth(video) if is_depth(video) else probe(video)
    except UnreadableError as error:
        return str(error)


def _duration_s(record: ClipRecord, info: VideoInfo | str) -> float | str:
    """Return the duration of a clip, or what is wrong with it."""
    if isinstance(info, str):
        return info
    end_s = info.duration_s if record.end_s is None else record.end_s
    if record.start_s >= info.duration_s or end_s > info.duration_s + 1 / info.fps:
        return (
            f"Expected `start_s` and `end_s` within the duration of '{info.path}' ({info.duration_s:.3f} s), "
            f"but got {record.start_s:g} s to {end_s:g} s. Correct them."
        )
    if record.roi is not None and (record.roi[2] > info.width or record.roi[3] > info.height):
        return (
            f"Expected `roi` within the {info.width}x{info.height} pixels of '{info.path}', but got "
            f"{record.roi}. Correct the region."
        )
    return min(end_s, info.duration_s) - record.start_s


def _class_table(records: list[ClipRecord], durations: dict[ClipRecord, float]) -> Table:
    columns = ("clips", "groups", "unreadable", "shortest\n(s)", "median\n(s)", "longest\n(s)")
    table = _table("Clips by class", "class", columns)
    names: list[str | None] = [*class_names(records)]
    for name in names or [None]:  # clips for prediction have no labels
        own = [record for record in records if record.label == name]
        lengths = [durations[record] for record in own if record in durations]
        spread = (min(lengths), statistics.median(lengths), max(lengths)) if lengths else ()
        table.add_row(
            escape(name or "(none)"),
            str(len(own)),
            str(len({record.group for record in own} - {None})),
            str(len(own) - len(lengths)),
            *(f"{length:.2f}" for length in spread),
        )
    return table


def _group_table(records: list[ClipRecord]) -> Table:
    names = class_names(records)
    table = _table("Clips by group", "group", [escape(name) for name in (*names, "all")])
    for group, counts in _count_by_group(records):
        table.add_row(escape(group), *(str(counts[name]) for name in names), str(counts.total()))
    return table


def _narrow_group_table(records: list[ClipRecord]) -> Table:
    """Table of the groups for a terminal that is too narrow for a column per class."""
    names = class_names(records)
    table = _table("Clips by group", "group", ["all"])
    table.add_column("by class", overflow="fold")
    for group, counts in _count_by_group(records):
        own = ", ".join(f"{name} {counts[name]}" for name in names if counts[name])
        table.add_row(escape(group), str(counts.total()), escape(own))
    return table


def _count_by_group(records: list[ClipRecord]) -> list[tuple[str, Counter[str | None]]]:
    groups: dict[str, Counter[str | None]] = defaultdict(Counter)
    for record in records:
        groups[record.group or "(none)"][record.label] += 1
    return sorted(groups.items())


def _table(title: str, names: str, columns: Iterable[str]) -> Table:
    """Create a table whose names wrap, and whose numbers and headings are never cut."""
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False, title=title, title_justify="left")
    table.add_column(names, overflow="fold", vertical="bottom")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True, vertical="bottom")
    return table


def _format_table(infos: Iterable[VideoInfo]) -> Table:
    table = _table("Files by format", "frame size", ["fps", "codec", "files"])
    counts = Counter((f"{info.width}x{info.height}", f"{info.fps:.4g}", info.codec) for info in infos)
    for kind, count in counts.most_common():
        table.add_row(*kind, str(count))
    return table
