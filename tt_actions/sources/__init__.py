"""Clip sources: one file per dataset."""

from tt_actions.clips.source import ClipSource as ClipSource
from tt_actions.sources.folders import FolderSource as FolderSource
from tt_actions.sources.synthetic.drawn_swings import DrawnSwings as DrawnSwings
from tt_actions.sources.synthetic.rallies import SyntheticRallies as SyntheticRallies
from tt_actions.sources.synthetic.skeletons import SyntheticSkeletons as SyntheticSkeletons
from tt_actions.sources.synthetic.source import SyntheticStrokes as SyntheticStrokes
from tt_actions.sources.user_clips import ManifestSource as ManifestSource
from tt_actions.sources.user_clips import UserClips as UserClips
from tt_actions.sources.user_clips import UserDepth as UserDepth
from tt_actions.sources.user_clips import UserJoints as UserJoints
from tt_actions.sources.user_rallies import UserRallies as UserRallies
