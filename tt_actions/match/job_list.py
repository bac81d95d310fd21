"""The videos to analyse, and the result folder of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tt_actions.clips.manifest import read_manifest
from tt_actions.errors import UserError
from tt_actions.match.results_folder import INPUTS_FILE, read_inputs
from tt_actions.sources.folders import SUFFIXES
from tt_actions.video.types import Roi


@dataclass(frozen=True)
class Job:
    """One video to analyse.

    Args:
        video: The video file.
        folder: Folder for its results.
        rois: Regions from a manifest; they take precedence over those of the options.
    """

    video: Path
    folder: Path
    rois: tuple[Roi, ...] = ()


def list_jobs(source: Path, out: Path) -> list[Job]:
    """List the videos of a source with their result folders.

    Args:
        source: A video, a folder or a manifest CSV.
        out: Result folder of a single video, or the parent of all result folders.

    Raises:
        FileNotFoundError: If the source does not exist.
        ValueError: If the source contains no video, a manifest contains time ranges, or it has regions for
            only some of a video's players.
    """
    if source.is_dir():
        inside = {
            done.parent for done in source.rglob(INPUTS_FILE) if "checkpoint" in read_inputs(done.parent)
        }
        videos = [
            path
            for path in sorted(source.rglob("*"))
            if path.suffix.lower() in SUFFIXES
            and path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(source).parts)
            and not inside.intersection(path.parents)
        ]
        if not videos:
            raise UserError(
                f"Expected videos ({', '.join(SUFFIXES)}) in '{source}', but found none. Check the path."
            )
        return _name([(path, path.relative_to(source), ()) for path in videos], out)
    if source.suffix.lower() == ".csv":
        records = read_manifest(source)
        if any(record.start_s or record.end_s is not None for record in records):
            raise UserError(
                f"Expected whole videos in '{source}', but got time ranges. Leave `start_s` and "
                "`end_s` empty."
            )
        rois: dict[Path, list[Roi]] = {record.path: [] for record in records}
        for record in records:
            rois[record.path] += [record.roi] if record.roi else []
        for path, found in rois.items():
            if found and len(found) < sum(record.path == path for record in records):
                raise UserError(
                    f"Expected a region for every player of '{path}' or for none in '{source}', but only "
                    "some rows have one. Fill `x0,y0,x1,y1` in the other rows, or remove those rows."
                )
        return _name([(path, Path(path.name), tuple(found)) for path, found in rois.items()], out)
    if not source.is_file():
        raise FileNotFoundError(
            f"Expected a video, a folder or a manifest, but there is no '{source}'. Check the path."
        )
    return [Job(source, out)]


def _name(videos: Sequence[tuple[Path, Path, tuple[Roi, ...]]], out: Path) -> list[Job]:
    """Name the result folder of each video after it, adding the suffix or a number to avoid clashes."""
    count = Counter(inner.with_suffix("") for _, inner, _ in videos)
    folders = {folder for _, inner, _ in videos for folder in inner.parents}
    jobs, taken = [], set[Path]()
    for video, inner, rois in videos:
        name = inner.with_suffix("")
        if count[name] > 1 or name in folders:  # other result folders go inside
            name = inner
        number = 2
        while name in taken:
            name, number = inner.with_name(f"{inner.name}_{number}"), number + 1
        taken.add(name)
        jobs.append(Job(video, out / name, rois))
    return jobs
