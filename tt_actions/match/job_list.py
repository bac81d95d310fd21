"""The videos to analyse, and where the results of each go."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tt_actions.clips.manifest import read_manifest
from tt_actions.errors import UserError
from tt_actions.match.results_folder import DONE, read_done
from tt_actions.sources.folders import SUFFIXES
from tt_actions.video.types import Roi


@dataclass(frozen=True)
class Job:
    """One video to analyse.

    Args:
        video: The video file.
        folder: Where its results go.
        rois: Regions that a manifest gives, which go before those of the options.
    """

    video: Path
    folder: Path
    rois: tuple[Roi, ...] = ()


def list_jobs(source: Path, out: Path) -> list[Job]:
    """List the videos of a source, and where the results of each go.

    Args:
        source: A video, a folder or a manifest CSV.
        out: Where to.

    Raises:
        FileNotFoundError: If there is no such source.
        ValueError: If it holds no video, or a manifest has stretches of time.
    """
    if source.is_dir():
        inside = {done.parent for done in source.rglob(DONE) if "checkpoint" in read_done(done.parent)}
        videos = [
            path
            for path in sorted(source.rglob("*"))
            if path.suffix.lower() in SUFFIXES
            and path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(source).parts)
            and not inside.intersection(path.parents)
        ]
        if not videos:
            raise UserError(f"Expected videos ({', '.join(SUFFIXES)}) in '{source}', but got none.")
        return _name([(path, path.relative_to(source), ()) for path in videos], out)
    if source.suffix.lower() == ".csv":
        records = read_manifest(source)
        if any(record.start_s or record.end_s is not None for record in records):
            raise UserError(
                f"Expected whole videos in '{source}', but got stretches. Leave `start_s` and `end_s` empty."
            )
        rois: dict[Path, list[Roi]] = {record.path: [] for record in records}
        for record in records:
            rois[record.path] += [record.roi] if record.roi else []
        for path, found in rois.items():
            if found and len(found) < sum(record.path == path for record in records):
                raise UserError(
                    f"Expected a region for each player of '{path}' or none in '{source}', but got some rows "
                    "with and some without. Fill `x0,y0,x1,y1`, or leave the others out."
                )
        return _name([(path, Path(path.name), tuple(found)) for path, found in rois.items()], out)
    if not source.is_file():
        raise FileNotFoundError(f"Expected a video, a folder or a manifest, but there is no '{source}'.")
    return [Job(source, out)]


def _name(videos: Sequence[tuple[Path, Path, tuple[Roi, ...]]], out: Path) -> list[Job]:
    """Call the results of each video like it, with the suffix or a number where that is needed."""
    count = Counter(inner.with_suffix("") for _, inner, _ in videos)
    folders = {folder for _, inner, _ in videos for folder in inner.parents}
    jobs, taken = [], set[Path]()
    for video, inner, rois in videos:
        name = inner.with_suffix("")
        if count[name] > 1 or name in folders:  # results of others go there
            name = inner
        number = 2
        while name in taken:
            name, number = inner.with_name(f"{inner.name}_{number}"), number + 1
        taken.add(name)
        jobs.append(Job(video, out / name, rois))
    return jobs
