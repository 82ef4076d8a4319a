"""Who holds a key may enter, as often as it allows; nobody else learns which keys there are."""

import fcntl
import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from mycelia.gateway import keys as keys_module
from mycelia.gateway.errors import ApiError
from mycelia.gateway.keys import OPEN, Account, KeyFile, KeyFileError, Keys


def test_without_keys_the_door_is_open():
    assert Keys().account(None) is OPEN
    assert Keys().account(b"Bearer whatever") is OPEN


def test_a_file_without_keys_admits_nobody():
    with pytest.raises(ApiError) as refused:
        Keys({}).account(b"Bearer whatever")
    assert refused.value.code == "invalid_api_key"


@pytest.fixture
def file(tmp_path):
    return KeyFile(tmp_path / "keys.json")


@pytest.fixture
def keyed(file):
    key = file.add("alice", 4)
    return key, Keys(file.accounts())


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "Bearer  {} "])
def test_a_key_names_its_account(keyed, form):
    key, keys = keyed
    assert keys.account(form.format(key).encode()).name == "alice"


@pytest.mark.parametrize("form", ["{}", "Basic {}", "Bearer x{}", "Bearer ", "", "Bearer {}" * 50])
def test_nothing_else_does(keyed, form):
    key, keys = keyed
    with pytest.raises(ApiError) as refused:
        keys.account(form.format(*[key] * 50).encode())
    assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")
    with pytest.raises(ApiError):
        keys.account(None)


def test_a_key_that_is_used_too_often_has_to_wait(keyed):
    key, keys = keyed
    header = f"Bearer {key}".encode()
    for _ in range(2):
        keys.account(header)
    with pytest.raises(ApiError) as refused:
        keys.account(header)
    assert (refused.value.status, refused.value.code) == (429, "rate_limit")
    assert 1 <= refused.value.retry_after_s <= 16


def test_a_file_replaced_keeps_what_was_spent(keyed, file):
    key, keys = keyed
    header = f"Bearer {key}".encode()
    for _ in range(2):
        keys.account(header)
    bob = file.add("bob")
    keys.replace(file.accounts())
    assert keys.account(f"Bearer {bob}".encode()) == Account("bob")
    with pytest.raises(ApiError) as refused:
        keys.account(header)
    assert refused.value.code == "rate_limit"


def test_the_file_holds_no_key_and_is_its_owners(keyed, file):
    key, _ = keyed
    assert key not in file.path.read_text()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_a_revoked_key_is_refused(keyed, file):
    key, keys = keyed
    bob = file.add("bob")
    file.revoke("alice")
    keys.replace(file.accounts())
    assert keys.account(f"Bearer {bob}".encode()).name == "bob"
    with pytest.raises(ApiError):
        keys.account(f"Bearer {key}".encode())


def test_a_change_of_the_file_is_seen_once(file):
    assert not file.changed()
    file.add("alice")
    assert file.changed()
    assert not file.changed()
    file.revoke("alice")
    assert file.changed()
    file.path.unlink()
    assert not file.changed()


def test_names_are_used_once_and_known_to_be_revoked(file):
    with pytest.raises(KeyFileError) as refused:
        file.revoke("alice")
    assert refused.value.code == "key_file"
    file.add("alice")
    with pytest.raises(KeyFileError) as refused:
        file.add("alice")
    assert refused.value.code == "key_exists"
    with pytest.raises(KeyFileError) as refused:
        file.revoke("bob")
    assert refused.value.code == "key_unknown"


@pytest.mark.parametrize(("name", "rate"), [("a b", None), ("", None), ("a", 0), ("x" * 65, None)])
def test_an_account_that_cannot_be_is_named(file, name, rate):
    with pytest.raises(KeyFileError) as refused:
        file.add(name, rate)
    assert (refused.value.code, bool(refused.value.remedy)) == ("bad_key", True)
    assert not file.path.exists()


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(KeyFileError) as refused:
        KeyFile(tmp_path / "none" / "keys.json").add("alice")
    assert "cannot be written" in refused.value.message


def test_of_edits_at_once_none_is_lost(file, monkeypatch):
    """Each opens the file and its lock anew, as programs in several shells do."""
    monkeypatch.setattr(keys_module, "_EDIT_S", 600.0)  # however slow the disk is
    for number in range(10):
        file.add(f"old-{number}")
    edits = [lambda n=n: KeyFile(file.path).add(f"new-{n}") for n in range(10)]
    edits += [lambda n=n: KeyFile(file.path).revoke(f"old-{n}") for n in range(10)]
    with ThreadPoolExecutor(4) as several:
        for edit in [several.submit(edit) for edit in edits]:
            edit.result()
    assert {entry.name for entry in file.entries()} == {f"new-{n}" for n in range(10)}


def test_an_edit_that_never_ends_is_not_waited_for_forever(file, monkeypatch):
    file.add("alice")
    monkeypatch.setattr(keys_module, "_EDIT_S", 0.05)
    with file.path.with_name(file.path.name + ".lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(KeyFileError) as refused:
            file.revoke("alice")
    assert (refused.value.code, bool(refused.value.remedy)) == ("key_file_busy", True)
    file.revoke("alice")


NO_WORD = json.dumps([{"name": "a b", "sha256": "0" * 64}])


@pytest.mark.parametrize(
    "content",
    ["", "{}x", "5", '[{"name": "a"}]', '[{"name": "a", "sha256": "00"}]', NO_WORD],
)
def test_a_file_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(KeyFileError) as refused:
        KeyFile(path).accounts()
    assert refused.value.remedy
