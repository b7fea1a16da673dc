"""Settings: one typed model, read from the environment and a ``.env`` file.

Names in the environment start with ``RUSHES_``; the flags that name backends and models keep the
names by which users know them (``AUDIO_SEMANTIC_BACKEND``, ``VIDEO_REGIONS_MIN_CONFIDENCE``, ...).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic import ValidationError as PydanticError

from shared.errors import ValidationError

MAX_INPUT_BYTES = 209_715_200
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def user_cache() -> Path:
    """What all projects of a user share and nobody backs up."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())


class Settings(BaseModel):
    """Where things are, and within which limits they run.

    What is not stated is read from the environment, then from ``.env``. pydantic-settings does the same,
    and imports asyncio for it: a sixth of what a short command takes.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    home: Literal["embedded", "google"] = "embedded"
    data: Path = Path(".rushes")
    """The embedded home's folder."""
    tenant: str = "local"
    """The command's tenant."""
    env: str = "dev"
    """The command's env."""
    user: str | None = None

    project: str = "rushes-local"
    """The Google Cloud project (or the emulators')."""
    bucket: str = "rushes-local"

    max_input_bytes: int = Field(MAX_INPUT_BYTES, gt=0)
    lease_s: float = Field(30.0, gt=0)
    """A claim whose owner has not renewed it for so long may be taken over."""
    max_attempts: int = Field(5, ge=1)
    """So many attempts at a step may die, or run out of this machine's means, before it is given up."""
    parts_at_once: int = Field(8, ge=1)
    """So many parts of one long step are asked for at a time, and twice as many of all of a tenant's, that
    others' work is not kept waiting behind them; a tenant's settings may say otherwise."""
    patience_s: float = Field(6 * 3600.0, ge=0)
    """So long a step waits for a service that is away before it is given up."""
    workers: int | None = Field(None, ge=1)
    """Worker processes of the embedded home; ``None``: one a core."""
    log_level: Annotated[LogLevel, BeforeValidator(str.upper)] = "INFO"
    traces: Literal["none", "otlp"] = Field("none", validation_alias="OTEL_TRACES_EXPORTER")
    """Where spans go: nowhere, or to the OpenTelemetry collector at ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
    push_audience: str | None = None
    """The audience that the token of a push must name; ``None``: pushes are not checked."""
    push_service_account: str | None = None
    """The e-mail address of the service account that pushes."""

    identity: Literal["dev", "oidc"] = "dev"
    """Who the HTTP API takes its callers for: this home's tenant, or what their tokens say."""
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_jwks_url: str | None = None
    """The issuer's keys; ``None``: where its discovery document says."""
    oidc_tenant_claim: str = "tenant_id"
    oidc_env_claim: str = "env"
    oidc_user_claim: str = "sub"
    direct_transfers: bool = False
    """The HTTP API's callers send and get bytes at signed addresses of the bucket itself."""
    source_buckets: str = ""
    """Where assets may be registered from, with commas: ``s3://name``, ``gs://name/{tenant}/{env}``."""
    webhook_key: str = Field(
        "", pattern=r"^(([A-Za-z0-9_-]{43}=,)*[A-Za-z0-9_-]{43}=)?$", repr=False
    )
    """Fernet keys, with commas, the newest first, that seal the secrets of webhooks in their documents."""
    link_key: str = Field("", pattern=r"^(.{32,})?$", repr=False)
    """What links to a single recording are signed with, at least 32 characters. Another one revokes
    them all. At home, where none is set, one is made and kept beside the data."""
    webhook_private: bool = False
    """Webhooks may go to private addresses, and by plain HTTP."""

    models: Path = Field(default_factory=lambda: user_cache() / "rushes" / "models")
    """The folder with model weights, each in a folder of its name; beside it the hub's cache counts."""
    whisper_compute: Literal["int8", "float32"] | None = None
    """The numbers that Whisper computes with; ``None``: int8 on a CPU, float16 on a GPU."""
    whisper_threads: int | None = Field(None, ge=1)
    """Of one Whisper on a CPU; ``None``: CTranslate2's default, which is ``OMP_NUM_THREADS`` where that is
    set, otherwise found by the number of cores (two on two)."""
    semantic_backend: Literal["whisper_librosa", "stub"] = Field(
        "whisper_librosa", validation_alias="AUDIO_SEMANTIC_BACKEND"
    )
    semantic_model: str = Field("tiny", validation_alias="AUDIO_SEMANTIC_WHISPER_MODEL")
    semantic_seed: int = Field(42, validation_alias="AUDIO_SEMANTIC_SEED")
    captions_backend: Literal["whisper", "whisper_openai", "stub"] = Field(
        "whisper", validation_alias="VIDEO_CAPTIONS_BACKEND"
    )
    """``whisper_openai`` is another name for ``whisper``."""
    captions_model: str = Field("tiny", validation_alias="VIDEO_CAPTIONS_MODEL")
    captions_device: Literal["cpu", "cuda"] = Field("cpu", validation_alias="VIDEO_CAPTIONS_DEVICE")
    captions_language: str = Field("en", validation_alias="VIDEO_CAPTIONS_LANGUAGE")
    """Of speech whose language nobody names: of all if this is set, otherwise where detection is unsure."""

    video_region_backend: Literal["opencv_face_detector", "stub"] = Field(
        "opencv_face_detector", validation_alias="VIDEO_REGION_BACKEND"
    )
    video_regions_min_confidence: float = Field(
        0.5, ge=0, le=1, validation_alias="VIDEO_REGIONS_MIN_CONFIDENCE"
    )
    """Detections that are less sure are dropped."""
    video_visual_meta_backend: Literal["opencv_visual_meta", "stub"] = Field(
        "opencv_visual_meta", validation_alias="VIDEO_VISUAL_META_BACKEND"
    )

    def __init__(self, **stated: Any) -> None:
        found = {**_env_file(), **os.environ}
        told = {name.upper(): value for name, value in found.items()}
        names = ((field, variable(field)) for field in type(self).model_fields)
        super().__init__(**{field: told[name] for field, name in names if name in told} | stated)

    @property
    def whisper_model(self) -> str:
        """What recognises speech, once for captions and semantics: the captions' model where that is
        set, otherwise the semantics'."""
        captions_say = "captions_model" in self.model_fields_set
        return self.captions_model if captions_say else self.semantic_model

    @property
    def spoken_language(self) -> str:
        """The language that speech is taken for unless a request names one; ``auto``: detect it."""
        return self.captions_language if "captions_language" in self.model_fields_set else "auto"

    @property
    def webhook_keys(self) -> tuple[str, ...]:
        """Those of ``webhook_key``."""
        return tuple(filter(None, self.webhook_key.split(",")))


def _env_file() -> Mapping[str, str]:
    if not Path(".env").is_file():
        return {}
    from dotenv import dotenv_values

    try:
        found = dotenv_values(".env")
    except UnicodeDecodeError as error:
        raise ValidationError(".env", f"is not text in UTF-8 (byte {error.start})") from None
    return {name: value for name, value in found.items() if value is not None}


def _check_spelling() -> None:
    """Refuse a variable that is called almost like one of ours: what it was to set would silently not be."""
    known = {variable(field) for field in Settings.model_fields}
    for name in {name.upper() for name in (*_env_file(), *os.environ)} - known:
        if not name.startswith("RUSHES_"):
            continue
        from difflib import get_close_matches

        if near := get_close_matches(name, known, n=1, cutoff=0.9):
            raise ValidationError(name, f"is no setting: did you mean {near[0]}?")


def variable(field: str) -> str:
    """The environment variable that sets a field."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"RUSHES_{field.upper()}"


@cache
def settings() -> Settings:
    """This process's settings, read once; raises ``ValidationError`` naming the variable."""
    _check_spelling()
    try:
        return Settings()
    except PydanticError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise ValidationError(
            variable(name) if name in Settings.model_fields else name, first["msg"]
        ) from None
