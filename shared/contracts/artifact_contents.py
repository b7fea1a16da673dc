"""Which kinds of artifacts hold a document that other steps read, and the model of each."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts.asr_transcript import Transcript
from shared.contracts.audio_activity import AudioActivity
from shared.contracts.audio_loudness import Loudness
from shared.contracts.audio_words import AudioWords
from shared.contracts.coverage_report import CoverageReport
from shared.contracts.detections import HitDetections, LoopDetections, PhraseDetections
from shared.contracts.edit_list import EditList
from shared.contracts.region_summary import RegionSummary
from shared.contracts.result_document import ResultDocument
from shared.contracts.semantic_timeline import SemanticTimeline
from shared.contracts.shot_list import ShotList
from shared.contracts.visual import VisualMeta

_MODELS: tuple[type[ResultDocument], ...] = (
    AudioActivity,
    AudioWords,
    SemanticTimeline,
    Transcript,
    HitDetections,
    LoopDetections,
    PhraseDetections,
    Loudness,
    RegionSummary,
    VisualMeta,
    CoverageReport,
    ShotList,
    EditList,
)
CONTENTS: Mapping[str, type[ResultDocument]] = {model.kind: model for model in _MODELS}
"""Kind -> the model of its JSON. Docs and the API's description derive from it."""
