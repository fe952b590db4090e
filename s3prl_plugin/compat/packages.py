"""The Python packages that s3prl's downstreams import and its installation does not bring."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass

from s3prl_plugin.errors import UserError


@dataclass(frozen=True, slots=True)
class Package:
    """A package by the name under which it is imported and by the one under which it is installed.

    Attributes:
        module: as in `import module`.
        requirement: as in `pip install requirement`.
        at_least: the oldest version that works, of the distribution that `requirement` names.
        stood_in: whether `stand_ins` replaces it where it is absent, so that it is never missing.
    """

    module: str
    requirement: str
    at_least: tuple[int, ...] = ()
    stood_in: bool = False

    @property
    def missing(self) -> bool:
        """Whether it is absent or too old; it is not imported."""
        if self.stood_in:
            return False
        if importlib.util.find_spec(self.module) is None:
            return True
        if not self.at_least:
            return False
        name = self.requirement.partition(">=")[0]
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return True
        return tuple(int(part) for part in version.split(".")[: len(self.at_least)]) < self.at_least


_ASTEROID = Package("asteroid", "asteroid==0.4.4")
_EDITDISTANCE = Package("editdistance", "editdistance")
_H5PY = Package("h5py", "h5py")
_LIBROSA = Package("librosa", "librosa")
_LXML = Package("lxml", "lxml")
_PANDAS = Package("pandas", "pandas")
_SOUNDFILE = Package("soundfile", "soundfile")

# task, s3prl's downstream, what that imports
TASKS: tuple[tuple[str, str, tuple[Package, ...]], ...] = (
    ("PR", "ctc", (_EDITDISTANCE,)),
    ("PR39", "ctc", (_EDITDISTANCE,)),
    ("ASR", "asr", (_EDITDISTANCE, _PANDAS)),
    ("KS", "speech_commands", (Package("catalyst", "catalyst", stood_in=True),)),
    ("SID", "voxceleb1", (_LIBROSA,)),
    ("ASV", "sv_voxceleb1", (Package("sox", "sox", stood_in=True), _LIBROSA)),
    ("IC", "fluent_commands", (_PANDAS,)),
    ("ER", "emotion", ()),
    # 1.3.0, which s3prl[all] asks for, is broken on numpy 2
    ("QbE", "quesst14_dtw", (Package("dtw", "dtw-python>=1.9", (1, 9)), _LXML)),
    ("SD", "diarization", (_PANDAS, _SOUNDFILE, _H5PY)),
    ("SF", "ctc", (_EDITDISTANCE, _PANDAS)),  # pandas: s3prl's SpecAugment
    ("SE", "enhancement_stft2", (_LIBROSA, _H5PY, _ASTEROID)),
    ("SS", "separation_stft2", (_LIBROSA, _H5PY, _ASTEROID)),
    ("phones", "phone_linear", (_PANDAS,)),
)
DEMO = (
    Package("espeakng_loader", "espeakng-loader"),
    Package("altair", "altair"),
    Package("vl_convert", "vl-convert-python"),
)


@dataclass(frozen=True, slots=True)
class MissingPackage:
    """Something that is not installed.

    Attributes:
        what: in words.
        command: what installs it.
    """

    what: str
    command: str


def missing(packages: tuple[Package, ...]) -> list[MissingPackage]:
    """Those packages that are absent or too old, with one command for all of them."""
    absent = [package for package in packages if package.missing]
    if not absent:
        return []
    names = ", ".join(package.module for package in absent)
    wanted = (f"'{p.requirement}'" if ">" in p.requirement else p.requirement for p in absent)
    return [MissingPackage(names, f"pip install {' '.join(wanted)}")]


def missing_for(downstream: str) -> list[MissingPackage]:
    """What one of s3prl's downstreams lacks here; nothing for one that is not described."""
    return [part for _, name, packages in TASKS if name == downstream for part in missing(packages)]


def check(downstream: str) -> None:
    """Refuse one of s3prl's downstreams before it fails for something that is not installed.

    Raises:
        UserError: with the command that installs what is missing.
    """
    for part in missing_for(downstream):
        raise UserError(f"-d {downstream} needs {part.what}: {part.command}")


def check_task(task: str) -> None:
    """Refuse a SUPERB task before it fails for something that is not installed.

    Raises:
        UserError: with the command that installs what is missing.
    """
    for name, _, packages in TASKS:
        for part in missing(packages) if name == task else ():
            raise UserError(f"{task} needs {part.what}, which is not installed: {part.command}")
