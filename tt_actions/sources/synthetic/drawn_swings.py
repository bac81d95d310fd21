"""Drawn videos of swings, in which a pose model finds the joints as it does in real videos."""

from pathlib import Path

import numpy as np

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.records import ClipRecord, Hand
from tt_actions.clips.source import ClipSource
from tt_actions.clips.strokes import NO_STROKE
from tt_actions.skeleton.hands import hand_speeds
from tt_actions.skeleton.layouts import NTU25
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.sources.synthetic.player import Sport
from tt_actions.sources.synthetic.scene import Range, World

AROUND_S: dict[Sport, Range] = {"table_tennis": (0.75, 0.55), "tennis": (1.35, 0.65)}
"""Time before and after contact that a clip shows: in table tennis, the next stroke follows sooner."""


class DrawnSwings(ClipSource):
    """Videos of single strokes from all sides, cut around the contact; the whole picture is the region.

    Further clips show players between strokes, cut around the fastest moment of a hand.

    Players, halls and cameras vary more than in ``SyntheticStrokes``: the camera is in front of the player,
    behind or beside, low or high, near or far. The group of a clip is its player.

    Args:
        out: Folder for the clips.
        sport: What is played.
        clips: Number of clips of strokes.
        players: Number of players.
        seed: Random seed.
        halls: Number of halls, each with its own camera position.
        size: Width and height of the frames in pixels.
        workers: Number of processes, or None for one per core.
        pauses: Number of further clips, with the label ``no_stroke``.
    """

    def __init__(
        self,
        out: Path,
        sport: Sport = "table_tennis",
        clips: int = 600,
        players: int = 150,
        seed: int = 0,
        halls: int = 150,
        size: tuple[int, int] = (640, 480),
        workers: int | None = None,
        pauses: int = 0,
    ) -> None:
        self.out, self.sport, self.clips, self.players, self.seed = out, sport, clips, players, seed
        self.halls, self.size, self.workers, self.pauses = halls, size, workers, pauses

    def prepare(self) -> None:
        """Generate the missing clips.

        Raises:
            ValueError: If a setting is out of range, or the folder was generated with other settings.
        """
        is_tennis = self.sport == "tennis"
        world = World(
            halls=self.halls,
            clip_s=(2.2, 2.2) if is_tennis else (2.0, 2.0),
            wide_share=0.0,
            opponent_share=0.0,
            azimuth_deg=(5.0, 175.0),
            azimuth_jitter_deg=6.0,
            distance_m=(3.0, 9.0) if is_tennis else (2.8, 8.0),
            height_m=(0.9, 4.5) if is_tennis else (0.9, 3.2),
            fill=(0.30, 0.85) if is_tennis else (0.35, 0.85),
        )
        synthesize(
            self.out,
            self.clips,
            self.players,
            self.seed,
            self.size,
            num_workers=self.workers,
            world=world,
            sport=self.sport,
            pauses=self.pauses,
        )

    def records(self) -> list[ClipRecord]:
        """List the clips, sorted by number.

        Raises:
            FileNotFoundError: If the files have not been generated; ``prepare`` generates them.
        """
        before_s, after_s = AROUND_S[self.sport]
        records = []
        for record in read_manifest(self.out / "manifest.csv"):
            with np.load(record.path.with_suffix(".npz")) as truth:
                fps = float(truth["fps"])
                length_s = len(truth["ball"]) / fps
                if record.label == NO_STROKE:
                    fastest_s = hand_speeds(truth["joints_3d"], NTU25, fps).max(1).argmax() / fps
                    contact_s = float(np.clip(fastest_s, before_s, length_s - after_s))
                else:
                    contact_s = float(truth["stroke_contact_s"][truth["stroke_player"] == 0][0])
                hand: Hand = "left" if truth["left_handed"] else "right"
            start_s = round(max(0.0, contact_s - before_s), 3)
            end_s = round(min(contact_s + after_s, length_s), 3)
            records.append(
                ClipRecord(record.path, record.label, start_s, end_s, group=record.group, hand=hand)
            )
        return records
