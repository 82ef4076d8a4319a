"""Who holds a key may enter, as often as it allows; nobody else learns which keys there are."""

import json

import pytest

from mycelia.gateway.errors import ApiError
from mycelia.gateway.keys import OPEN, KeyFileError, Keys, new_key


def test_without_keys_the_door_is_open():
    assert Keys().account(None) is OPEN
    assert Keys().account(b"Bearer whatever") is OPEN


@pytest.fixture
def keyed(tmp_path):
    key, digest = new_key()
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([{"name": "alice", "sha256": digest, "per_minute": 4}]))
    assert key not in path.read_text()
    return key, Keys.load(path)


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


NO_WORD = json.dumps([{"name": "a b", "sha256": "0" * 64}])


@pytest.mark.parametrize(
    "content",
    ["", "{}x", "5", '[{"name": "a"}]', '[{"name": "a", "sha256": "00"}]', NO_WORD],
)
def test_a_file_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(KeyFileError) as refused:
        Keys.load(path)
    assert refused.value.remedy
