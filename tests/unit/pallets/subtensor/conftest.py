"""A world with one started subnet, owned by Alice."""

from typing import Any

import pytest

from mycelia.testing.oracle import Person
from mycelia.testing.world import Result, World

TAO = 10**9
PEOPLE = ("//Bob", "//Charlie", "//Dave")


class SubnetWorld(World):
    """A world with words for what subnets are about. Hotkeys of `//Bob` are `//Bob_hk`, `//Bob_hk2`, ..."""

    def key(self, uri: str) -> bytes:
        return Person(uri).account

    def address(self, uri: str) -> str:
        return Person(uri).address

    def call(self, uri: str, name: str, /, **params: Any) -> Result:
        return self.submit(uri, "SubtensorModule", name, **params)

    def admin(self, name: str, /, **params: Any) -> Result:
        return self.sudo("AdminUtils", f"sudo_set_{name}", **params)

    def create_subnet(self, owner: str = "//Alice", netuid: int = 1) -> None:
        """Create and start a subnet that takes plain weights and has no rate limits."""
        hotkey = self.address(f"{owner}_hk{netuid}")
        created = self.call(owner, "register_network", hotkey=hotkey)
        assert created.succeeded, created.error
        assert self.call(owner, "start_call", netuid=netuid).succeeded
        for setter, value in (
            ("commit_reveal_weights_enabled", {"enabled": False}),
            ("weights_set_rate_limit", {"weights_set_rate_limit": 0}),
            ("serving_rate_limit", {"serving_rate_limit": 0}),
        ):
            done = self.admin(setter, netuid=netuid, **value)
            assert done.succeeded, done.error

    def register(self, coldkey: str, hotkey: str | None = None, netuid: int = 1) -> Result:
        return self.call(
            coldkey,
            "burned_register",
            netuid=netuid,
            hotkey=self.address(hotkey or f"{coldkey}_hk"),
        )

    def stake(self, coldkey: str, hotkey: str, tao: int, netuid: int = 1) -> Result:
        return self.call(
            coldkey,
            "add_stake",
            hotkey=self.address(hotkey),
            netuid=netuid,
            amount_staked=tao,
        )


@pytest.fixture
def bare() -> SubnetWorld:
    """No subnet but the root; nothing is frozen before epochs."""
    world = SubnetWorld({"//Alice": 10_000_000 * TAO, **dict.fromkeys(PEOPLE, 100_000 * TAO)})
    assert world.admin("admin_freeze_window", window=0).succeeded
    return world


@pytest.fixture
def world(bare: SubnetWorld) -> SubnetWorld:
    """Alice's subnet 1 is started, takes plain weights and is free of rate limits."""
    bare.create_subnet()
    return bare
