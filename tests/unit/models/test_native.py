"""The binding refuses every library but the one whose layout it knows."""

import ctypes
import importlib.metadata

import pytest

from mycelia.models import native
from mycelia.models.native import RuntimeMismatch


@pytest.fixture(autouse=True)
def _uncached() -> None:
    native.library.cache_clear()


def test_the_pinned_library_loads_and_its_structs_are_as_expected() -> None:
    lib = native.library()
    assert lib.context_params.n_ctx == 512
    assert native.library() is lib


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "2027.1.1")
    with pytest.raises(RuntimeMismatch, match=r"2027\.1\.1") as caught:
        native.library()
    assert caught.value.code == "inference_runtime_mismatch"
    assert "requirements" in caught.value.remedy


def test_no_library_at_all_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(RuntimeMismatch, match="none installed"):
        native.library()


def test_a_field_at_another_place_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(native._CONTEXT_DEFAULTS, "n_threads", 5)
    with pytest.raises(RuntimeMismatch, match="n_threads"):
        native.library()


def test_a_struct_that_grew_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shorter(ctypes.Structure):
        _fields_ = native.ModelParams._fields_[:-8]

    monkeypatch.setattr(native, "ModelParams", Shorter)
    monkeypatch.setattr(native, "_MODEL_DEFAULTS", {})
    with pytest.raises(RuntimeMismatch, match="larger Shorter"):
        native.library()
