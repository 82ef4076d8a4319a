"""A claim counts when validators with half of the stake attest it, and only then."""

import asyncio
from contextlib import nullcontext
from dataclasses import replace

import bittensor_core
import pytest

from mycelia.gateway.claims import AttestedClaims
from mycelia.gateway.directory import ChainDirectory
from mycelia.neuron.chain import CallFailed, Metagraph, Neuron
from mycelia.neuron.manifest import (
    Attestation,
    ClaimDocument,
    Manifest,
    Place,
    SignedAttestation,
    SignedManifest,
)
from mycelia.wire import Unreachable

MINER = bittensor_core.Keypair.create_from_uri("//miner")
VALIDATORS = [bittensor_core.Keypair.create_from_uri(f"//validator{n}") for n in range(3)]
NETUID = 3
PLACE = Place("0a" * 32, NETUID)
CLAIM = Manifest(
    miner=MINER.ss58_address,
    subnet="text",
    version=1,
    model="m",
    weights="ab" * 32,
    runtime="r==1",
    runtime_digest="cd" * 32,
    quantisation="q8_0",
    schedule="s",
    context=2048,
    licence="MIT",
)
NEURON = Neuron(
    uid=0, hotkey=MINER.ss58_address, coldkey="c", registered_at=0, permit=False, stake_rao=0,
    incentive=0.5, dividends=0.0, emission_rao=0, host="127.0.0.2", port=7001,
)  # fmt: skip


class World:
    """A chain, and one miner that shows a document."""

    def __init__(self, *attesting: int, claim: Manifest = CLAIM, stakes=(1, 1, 1)) -> None:
        self.reads = 0
        self.down = False
        self.genesis_ = PLACE.genesis
        self.committed = {MINER.ss58_address: claim.digest()}
        self.document_ = ClaimDocument(
            claim=SignedManifest.by(MINER, claim),
            attestations=[SignedAttestation.by(VALIDATORS[n], claim, PLACE) for n in attesting],
        )
        self.neurons = (
            NEURON,
            *(
                replace(
                    NEURON,
                    uid=n + 1,
                    hotkey=v.ss58_address,
                    permit=True,
                    stake_rao=stake,
                    host=None,
                )
                for n, (v, stake) in enumerate(zip(VALIDATORS, stakes, strict=True))
            ),
        )

    async def metagraph(self, netuid: int) -> Metagraph:
        return Metagraph(
            netuid=NETUID, name="text", height=1, tempo_blocks=20, last_step=7,
            tao_emission_rao=0, alpha_emission_rao=0, alpha_price=0.0, neurons=self.neurons,
        )  # fmt: skip

    async def document(self, endpoint, path, deadline_s):
        self.reads += 1
        if self.down:
            raise Unreachable("unreachable", "down", "")
        return self.document_.model_dump_json().encode()

    async def genesis(self) -> str:
        return self.genesis_

    async def published(self, netuid):
        assert netuid == NETUID
        return self.committed

    def directory(self, *, required: bool = False, **options) -> ChainDirectory:
        claims = AttestedClaims(self, self.published, self.genesis, **options)
        return ChainDirectory(self, {"text": NETUID}, claims=claims, claims_required=required)


async def manifest(world: World, **options) -> Manifest | None:
    directory = world.directory(**options)
    await directory.refresh()
    (route,) = directory.routes("text")
    assert (route.claim is None) == (route.manifest is None)
    return route.manifest


@pytest.mark.parametrize(
    ("attesting", "stakes", "holds"),
    [
        ((0, 1, 2), (1, 1, 1), True),
        ((0, 1), (1, 1, 1), True),
        ((0,), (1, 1, 1), False),
        ((0,), (2, 1, 1), True),
        ((1, 2), (3, 1, 1), False),
        ((), (1, 1, 1), False),
        ((), (0, 0, 0), False),
        ((0, 1, 2), (0, 0, 0), False),
    ],
)
async def test_half_of_the_stake_decides(attesting, stakes, holds):
    found = await manifest(World(*attesting, stakes=stakes))
    assert found == (CLAIM if holds else None)


async def test_only_permits_have_a_word():
    world = World(0, 1, 2)
    world.neurons = tuple(replace(neuron, permit=False) for neuron in world.neurons)
    assert await manifest(world) is None


async def test_words_of_another_network_have_no_weight_here():
    """The same hotkeys, netuid and claim there and here: whose word it is does not suffice."""
    world = World(0, 1, 2)
    world.genesis_ = "0b" * 32
    assert await manifest(world) is None


async def test_an_uncommitted_claim_and_one_for_another_subnet_do_not_count():
    world = World(0, 1, 2)
    world.committed = {}
    assert await manifest(world) is None
    assert await manifest(World(0, 1, 2, claim=CLAIM.model_copy(update={"subnet": "x"}))) is None


async def test_where_claims_are_required_others_are_not_offered():
    for world, offered in ((World(0, 1), 1), (World(0), 0)):
        directory = world.directory(required=True)
        await directory.refresh()
        assert len(directory.routes("text")) == offered
        assert directory.withheld("text") == 1 - offered


@pytest.mark.parametrize("required", [False, True])
async def test_a_chain_without_claims_is_served_by_unless_they_are_required(required):
    world = World(0, 1)

    async def none_kept(netuid):
        raise CallFailed("call_failed", "There is no such pallet.", "")

    world.published = none_kept
    directory = world.directory(required=required)
    with pytest.raises(CallFailed) if required else nullcontext():
        await directory.refresh()
    assert len(directory.routes("text")) == (0 if required else 1)


async def test_where_claims_are_not_required_nobody_waits_for_them():
    world = World(0, 1)
    reading = asyncio.Event()

    async def hang(endpoint, path, deadline_s):
        reading.set()
        await asyncio.sleep(60)

    world.document = hang
    directory = world.directory()
    task = asyncio.create_task(directory.refresh())
    await reading.wait()
    assert len(directory.routes("text")) == 1
    task.cancel()


async def test_documents_are_read_each_time_at_first_and_now_and_then_later(monkeypatch):
    for new_s, reads in ((100.0, 5), (0.0, 1)):
        monkeypatch.setattr("mycelia.gateway.claims.NEW_S", new_s)
        world = World(0, 1)
        directory = world.directory(look_s=1000.0)
        for _ in range(5):
            await directory.refresh()
        assert world.reads == reads


async def test_words_outlast_a_pause_and_a_restart_of_the_miner():
    world = World(0, 1)
    directory = world.directory(look_s=0.0)
    for down, document in ((False, world.document_), (True, None), (False, World().document_)):
        world.down, world.document_ = down, document
        await directory.refresh()
        assert directory.routes("text")[0].manifest == CLAIM
    world.document_ = World(claim=CLAIM.model_copy(update={"price_rao": 1})).document_
    await directory.refresh()
    assert directory.routes("text")[0].manifest is None


async def test_words_that_are_remembered_expire_like_others(monkeypatch):
    world = World(0, 1)
    directory = world.directory(look_s=0.0)
    await directory.refresh()
    world.document_ = World().document_
    monkeypatch.setattr(Attestation, "is_live", False)
    await directory.refresh()
    assert directory.routes("text")[0].manifest is None


async def test_words_of_strangers_cost_no_look_at_their_signatures(monkeypatch):
    """A miner may show as many as fit, and each is checked again at every look at the chain."""
    world = World(0, 1, 2)
    strangers = [bittensor_core.Keypair.create_from_uri(f"//stranger{n}") for n in range(20)]
    words = [SignedAttestation.by(stranger, CLAIM, PLACE) for stranger in strangers]
    shown = world.document_.attestations
    world.document_ = world.document_.model_copy(update={"attestations": words + shown})
    checked = []
    verify = SignedAttestation.verify
    monkeypatch.setattr(SignedAttestation, "verify", lambda it: (checked.append(it), verify(it)))
    assert await manifest(world) == CLAIM
    assert len(checked) == len(shown)
