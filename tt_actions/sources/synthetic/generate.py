"""Generating a synthetic dataset on disk: videos with their ground truth."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tt_actions.clips.manifest import write_manifest
from tt_actions.clips.records import ClipRecord
from tt_actions.files import lock_folder, write_atomically
from tt_actions.sources.synthetic.camera import Size, project
from tt_actions.sources.synthetic.draw import draw_pictures, draw_truth
from tt_actions.sources.synthetic.excerpts import excerpt_motion
from tt_actions.sources.synthetic.faults import draw_fault, faulty_motion
from tt_actions.sources.synthetic.motion import FPS, Motion, clip_motion, rally_motion
from tt_actions.sources.synthetic.player import Player, Sport, draw_player
from tt_actions.sources.synthetic.scene import Scene, World, draw_scene
from tt_actions.sources.synthetic.settings import CLIPS, ERRORS, RALLIES, REGIONS, Settings, claim_folder
from tt_actions.video.encoder import write_video
from tt_actions.video.types import Roi

WORLD = World()
_REGION_HEIGHT = (1.36, 1.5)  # of the player's height
_REGION_ASPECT = 0.75


def synthesize(
    out: Path,
    num_clips: int = 565,
    num_players: int = 40,
    seed: int = 0,
    size: Size = (320, 240),
    num_rallies: int = 0,
    rally_s: float = 60.0,
    depth: bool = False,
    silhouettes: bool = False,
    num_workers: int | None = None,
    world: World = WORLD,
    pictures: bool = True,
    faults: bool = False,
    sport: Sport = "table_tennis",
    pauses: int = 0,
    filmed: bool = False,
) -> None:
    """Generate the missing files of a dataset of synthetic strokes.

    Next to every ``.mp4`` is an ``.npz`` file with ``label``, ``player``, ``left_handed``, ``fps``,
    ``frame_labels`` (T,) (indices in the strokes of the sport, and idle), ``joints_3d`` (T, 25, 3) in
    metres, ``joints_2d`` (T, 25, 2) in pixels, ``racket_position`` (T, 3), ``racket_rotation`` (T, 3, 3), the
    same for the opponent, if there is one, with the prefix ``opponent_``, ``ball`` (T, 3), NaN while out of
    play, ``camera`` (T, 3, 4), the strokes in order as ``stroke_label``, ``stroke_player`` (0, or 1 for the
    opponent), ``stroke_start_s``, ``stroke_contact_s`` and ``stroke_end_s``, and optionally ``depth`` (T, H,
    W), float16 metres, and ``silhouettes`` (T, H, W), bool, of the near player with the racket. A rally has
    no ``label``.

    Args:
        out: Folder for ``clips/<label>/``, ``rallies/`` and ``manifest.csv``. The manifest lists the clips,
            with the player as group, and is written last.
        num_clips: Number of clips; their classes alternate.
        num_players: Number of players.
        seed: Random seed.
        size: Width and height of the frames.
        num_rallies: Number of rallies.
        rally_s: Length of a rally in seconds.
        depth: Whether to save depth maps.
        silhouettes: Whether to save silhouettes.
        num_workers: Number of processes, or None for one per core.
        world: Ranges of the random scenes.
        pictures: Whether to render videos; otherwise the ``.npz`` files are the clips.
        faults: Whether three out of four clips show a fault; the ``.npz`` files then contain ``fault``, empty
            for none, and ``fault_size``.
        sport: What is played. Tennis also has volleys, and neither rallies nor faults.
        pauses: Number of further clips in which the player waits, walks, runs, picks up a ball or bounces it;
            their label is ``no_stroke``.
        filmed: Whether the strokes, without pictures, are as from real video: cut from rallies of varied
            players, with the errors of a pose model. ``racket_position`` is NaN where the racket is lost. The
            exact values are then in ``true_joints_3d``, ``true_joints_2d`` and ``true_racket_position``.

    Raises:
        ValueError: If a setting is out of range, or the folder was generated with other settings.
        OSError: If a file can't be written; finished files remain.
    """
    settings = Settings(
        num_clips, num_players, seed, size, num_rallies, rally_s, depth, silhouettes, world, pictures,
        faults=faults, sport=sport, pauses=pauses, filmed=filmed,
    )  # fmt: skip
    claim_folder(out, settings)
    manifest = out / "manifest.csv"
    if _missing(settings, out) or (settings.total_clips and not manifest.exists()):
        with lock_folder(out, f"Waiting for another process that is writing to '{out}'.", wait=True):
            if tasks := _missing(settings, out):  # another process may have generated them meanwhile
                _run(tasks, num_workers or os.cpu_count() or 1)
            if settings.total_clips:
                write_manifest(manifest, (_record(settings, out, i) for i in range(settings.total_clips)))


def _missing(settings: Settings, out: Path) -> list[Callable[[], None]]:
    """List the files that are still missing."""
    clips = [i for i in range(settings.total_clips) if not _is_done(_clip_path(settings, out, i))]
    rallies = [i for i in range(settings.num_rallies) if not _is_done(rally_path(out, i))]
    return [
        *(partial(_make_clip, settings, out, i) for i in clips),
        *(partial(_make_rally, settings, out, i) for i in rallies),
    ]


def _run(tasks: list[Callable[[], None]], num_workers: int) -> None:
    columns = (TextColumn("generating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(*columns))
        done: Iterable[None] = map(_call, tasks)
        if num_workers > 1 and len(tasks) > 1:
            pool = ProcessPoolExecutor(
                min(num_workers, len(tasks)),
                get_context("spawn"),
                initializer=cv2.setNumThreads,
                initargs=(1,),
            )
            stack.enter_context(pool)
            done = pool.map(_call, tasks)
        for _ in progress.track(done, total=len(tasks)):
            pass


def _call(task: Callable[[], None]) -> None:
    task()


def _clip_path(settings: Settings, out: Path, index: int) -> Path:
    label, player = settings.clip(index)
    suffix = "mp4" if settings.pictures else "npz"
    return out / "clips" / label / f"{label}_{index:04d}_player_{player:02d}.{suffix}"


def rally_path(out: Path, index: int) -> Path:
    """Return the path of a rally's file.

    Args:
        out: Folder of the dataset.
        index: Number of the rally.
    """
    return out / "rallies" / f"rally_{index:03d}.mp4"


def _is_done(path: Path) -> bool:
    return path.exists() and path.with_suffix(".npz").exists()


def _record(settings: Settings, out: Path, index: int) -> ClipRecord:
    label, player = settings.clip(index)
    path = _clip_path(settings, out, index)
    if not settings.pictures:
        return ClipRecord(path, label, group=settings.player(player).name)
    with np.load(path.with_suffix(".npz")) as truth:
        roi = _region(settings.rng(REGIONS, index), truth["joints_2d"], settings.size)
    return ClipRecord(path, label, roi=roi, group=settings.player(player).name)


def _region(rng: np.random.Generator, joints: np.ndarray, size: Size) -> Roi:
    """Generate an upright region around the player, as loose as one drawn by hand.

    Its size and position depend on the player's standing height and position, not on the reach of the arms,
    so it reveals little about the stroke: a classifier on its corners alone reaches an accuracy of 0.34 on
    1,200 clips, with chance at 0.25. Racket and arms leave it at times.
    """
    tall = np.median(np.ptp(joints[..., 1], axis=1))
    height = min(tall * rng.uniform(*_REGION_HEIGHT), size[1], size[0] / _REGION_ASPECT)
    region = np.array([height * _REGION_ASPECT, height])
    middle, feet = np.median(joints[:, 0, 0]), joints[..., 1].max()
    right = middle + rng.uniform(-0.04, 0.04) * tall + region[0] / 2
    bottom = feet + rng.uniform(0.04, 0.12) * tall
    x1, y1 = np.clip([right, bottom], region, size).astype(int).tolist()
    width, height = region.astype(int).tolist()
    return x1 - width, y1 - height, x1, y1


def _make_clip(settings: Settings, out: Path, index: int) -> None:
    path = _clip_path(settings, out, index)
    label, number = settings.clip(index)
    world, rng = settings.world, settings.rng(CLIPS, index)
    wide = bool(rng.random() < world.wide_share)
    # The opponent is a new player outside all groups, so that no player is visible on both sides of a split.
    opponent = draw_player(rng, "opponent") if wide or rng.random() < world.opponent_share else None
    known = {"label": np.array(label)}
    fault, fault_size = draw_fault(rng, label) if settings.faults else ("", "")
    if settings.faults:
        known |= {"fault": np.array(fault), "fault_size": np.array(fault_size)}
    player, duration_s = settings.player(number), rng.uniform(*world.clip_s)
    if fault:
        motion = faulty_motion(rng, player, label, duration_s, fault, fault_size)
    elif settings.filmed:
        motion = excerpt_motion(rng, player, label)
    else:
        motion = clip_motion(rng, player, label, duration_s, opponent)
    scene = draw_scene(rng, settings.hall(rng), motion, wide, settings.size, world)
    if settings.filmed:
        from tt_actions.sources.synthetic.pose_errors import find_motion  # loads SciPy

        known |= find_motion(settings.rng(ERRORS, index), motion.players[0], scene.still, scene.camera)
    _write(path, settings, scene, motion, known)


def _make_rally(settings: Settings, out: Path, index: int) -> None:
    rng = settings.rng(RALLIES, index)
    wide, players = _cast(settings, rng)
    motion = rally_motion(rng, players, settings.rally_s)
    scene = draw_scene(rng, settings.hall(rng), motion, wide, settings.size, settings.world)
    _write(rally_path(out, index), settings, scene, motion, {})


def _cast(settings: Settings, rng: np.random.Generator) -> tuple[bool, list[Player]]:
    """Choose the view of a rally (wide or close) and its players, the near one first."""
    wide = bool(rng.random() < settings.world.rally_wide_share)
    alone = not wide and rng.random() > settings.world.opponent_share
    numbers = rng.choice(settings.num_players, 1 if alone else 2, replace=False).tolist()
    return wide, [settings.player(number) for number in numbers]


def rally_cast(num_players: int, seed: int, index: int) -> tuple[bool, list[str]]:
    """Return the view and the players of a rally of :func:`synthesize`.

    Args:
        num_players: Number of players in the dataset.
        seed: Random seed of the dataset.
        index: Number of the rally.

    Returns:
        Whether the rally is filmed from the side with the whole table, and the names of the players, the near
        one first.
    """
    settings = Settings(0, num_players, seed, (320, 240), index + 1, 60.0, False, False, WORLD)
    wide, players = _cast(settings, settings.rng(RALLIES, index))
    return wide, [player.name for player in players]


def _write(
    path: Path, settings: Settings, scene: Scene, motion: Motion, known: dict[str, np.ndarray]
) -> None:
    if _is_done(path):
        return
    known = _truth(scene, motion) | known
    if settings.depth or settings.silhouettes:
        depth, silhouettes = zip(*draw_truth(scene, motion), strict=True)
        known |= {"depth": np.stack(depth).astype(np.float16)} if settings.depth else {}
        known |= {"silhouettes": np.stack(silhouettes)} if settings.silhouettes else {}
    with write_atomically(path.with_suffix(".npz")) as temporary:
        np.savez_compressed(temporary, **known)  # type: ignore[arg-type]
    if settings.pictures:
        write_video(path, draw_pictures(scene, motion), FPS, scene.crf)


def _truth(scene: Scene, motion: Motion) -> dict[str, np.ndarray]:
    camera, strokes = scene.camera, motion.strokes
    player = motion.players[0].player
    known = {
        "player": np.array(player.name),
        "left_handed": np.array(player.left_handed),
        "fps": np.array(FPS),
        "camera": camera,
        "ball": motion.ball,
        "stroke_label": np.array([stroke.label for stroke in strokes]),
        "stroke_player": np.array([stroke.player for stroke in strokes]),
        "stroke_start_s": np.array([stroke.start_s for stroke in strokes]),
        "stroke_contact_s": np.array([stroke.contact_s for stroke in strokes]),
        "stroke_end_s": np.array([stroke.end_s for stroke in strokes]),
    }
    for index, player_motion in enumerate(motion.players):
        before = "opponent_" if index else ""
        known |= {
            f"{before}frame_labels": motion.frame_labels(index),
            f"{before}joints_3d": player_motion.joints,
            f"{before}joints_2d": project(camera, player_motion.joints)[0].astype(np.float32),
            f"{before}racket_position": player_motion.racket_position,
            f"{before}racket_rotation": player_motion.racket_rotation,
        }
    return known
