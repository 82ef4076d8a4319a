"""Moving TAO between people and subnets."""

import pytest

from mycelia.pallets.subtensor.errors import InsufficientTaoBalance
from mycelia.pallets.subtensor.subnets.kernel import subnet_account
from mycelia.primitives import NetUid

TAO = 10**9
NETUID = NetUid(1)


def test_a_payer_stays_alive(world):
    custody, bob = world.pallets.custody, world.key("//Bob")
    had, held = world.pallets.balances.free_balance(bob), custody.held(NETUID)
    taken = custody.pay_in(NETUID, bob, had)
    assert taken == had - 500
    assert world.pallets.balances.free_balance(bob) == 500
    assert custody.held(NETUID) == held + taken
    with pytest.raises(InsufficientTaoBalance):
        custody.pay_in(NETUID, bob, 1)
    assert custody.pay_in(NETUID, bob, 0) == 0


def test_too_little_to_create_an_account_stays_with_the_subnet(world):
    custody, nobody = world.pallets.custody, world.key("//Nobody")
    held = custody.held(NETUID)
    custody.pay_out(NETUID, nobody, 499)
    assert custody.held(NETUID) == held
    custody.pay_out(NETUID, nobody, 500)
    custody.pay_out(NETUID, nobody, 1)
    assert world.pallets.balances.free_balance(nobody) == 501
    assert world.pallets.balances.free_balance(subnet_account(NETUID)) == held - 501


def test_recycling_takes_tao_out_of_existence(world):
    pallets = world.pallets
    issued = pallets.issuance.total_issuance
    pallets.custody.recycle(NETUID, TAO)
    assert pallets.issuance.total_issuance == issued - TAO
    assert pallets.balances.total_issuance == issued - TAO
