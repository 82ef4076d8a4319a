import stat

import pytest

from mycelia.neuron.chain import sdk_environment
from mycelia.neuron.wallets import WalletError, make_wallet, open_wallet


def addresses(wallet):
    return wallet.coldkey.ss58_address, wallet.hotkey.ss58_address


def test_same_seed_same_addresses(tmp_path):
    first = addresses(make_wallet(tmp_path / "a", "miner", "seed"))
    assert first == addresses(make_wallet(tmp_path / "b", "miner", "seed"))
    assert first != addresses(make_wallet(tmp_path / "c", "miner", "other"))
    assert len({*first, *addresses(make_wallet(tmp_path / "a", "second", "seed"))}) == 4


def test_without_a_seed_keys_are_random(tmp_path):
    assert addresses(make_wallet(tmp_path / "a", "m")) != addresses(
        make_wallet(tmp_path / "b", "m")
    )


def test_existing_wallet_is_kept(tmp_path):
    first = addresses(make_wallet(tmp_path, "miner"))
    assert addresses(make_wallet(tmp_path, "miner", "seed")) == first
    assert addresses(open_wallet(tmp_path, "miner")) == first


def test_keys_are_for_the_owner_only(tmp_path):
    make_wallet(tmp_path / "wallets", "miner", "seed")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_missing_or_damaged_key_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(WalletError) as refused:
        open_wallet(tmp_path, "nobody")
    assert refused.value.remedy
    make_wallet(tmp_path, "miner")
    (tmp_path / "miner" / "hotkeys" / "default").write_text("{}")
    with pytest.raises(WalletError):
        open_wallet(tmp_path, "miner")


def test_sdk_writes_into_the_folder_only(tmp_path, monkeypatch):
    from bittensor import config
    from bittensor._transport.runtime import _disk_cache_dir

    for name, value in sdk_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    paths = [
        config.config_path(),
        config.proxies_path(),
        config.multisigs_path(),
        config.multisig_cache_path(),
        config.subnet_names_path(),
        config.token_symbols_path(),
        _disk_cache_dir(),
    ]
    assert {path.parent for path in paths} == {tmp_path}
