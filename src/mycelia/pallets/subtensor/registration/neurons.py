"""Which hotkey sits in which slot of which subnet."""

from __future__ import annotations

from mycelia.codec import U16, U64
from mycelia.frame import (
    Blake2_128Concat,
    DoubleMap,
    Identity,
    Map,
    OptionalDoubleMap,
    Pallet,
    State,
    invariant,
)
from mycelia.pallets.subtensor.needs import Clock
from mycelia.pallets.subtensor.subnets.pallet import NOBODY
from mycelia.primitives import AccountId, NetUid, Uid


class Neurons(Pallet, name="SubtensorModule"):
    """Which hotkey sits in which slot of which subnet. Slots are 0 to n-1, without gaps."""

    subnetwork_n = Map[NetUid, U16](
        NetUid, U16, hasher=Identity, default=U16(0), doc="Slots taken on the subnet."
    )
    uids = OptionalDoubleMap(
        NetUid,
        AccountId,
        Uid,
        hashers=(Identity, Blake2_128Concat),
        doc="Slot of the hotkey on the subnet.",
    )
    keys = DoubleMap[NetUid, Uid, AccountId](
        NetUid,
        Uid,
        AccountId,
        hashers=(Identity, Identity),
        default=NOBODY,
        doc="Hotkey in the slot.",
    )
    block_at_registration = DoubleMap[NetUid, Uid, U64](
        NetUid,
        Uid,
        U64,
        hashers=(Identity, Identity),
        default=U64(0),
        doc="Block at which the slot was last taken.",
    )
    is_network_member = DoubleMap[AccountId, NetUid, bool](
        AccountId,
        NetUid,
        bool,
        hashers=(Blake2_128Concat, Identity),
        default=False,
        doc="Whether the hotkey has a slot on the subnet.",
    )

    clock: Clock

    def __init__(self, state: State, *, clock: Clock) -> None:
        super().__init__(state, clock=clock)

    def size(self, netuid: NetUid) -> int:
        return self.subnetwork_n[netuid]

    def has(self, netuid: NetUid, hotkey: AccountId) -> bool:
        return (netuid, hotkey) in self.uids

    def uid_of(self, netuid: NetUid, hotkey: AccountId) -> Uid | None:
        return self.uids[netuid, hotkey]

    def hotkey_at(self, netuid: NetUid, uid: Uid) -> AccountId:
        return self.keys[netuid, uid]

    def hotkeys(self, netuid: NetUid) -> list[AccountId]:
        """The hotkeys of a subnet by uid."""
        return [self.keys[netuid, Uid(uid)] for uid in range(self.subnetwork_n[netuid])]

    def registered_at(self, netuid: NetUid) -> list[int]:
        """When each slot was last taken, by uid."""
        count = self.subnetwork_n[netuid]
        return [self.block_at_registration[netuid, Uid(uid)] for uid in range(count)]

    def netuids_of(self, hotkey: AccountId) -> list[NetUid]:
        """Subnets on which the hotkey has a slot."""
        return [netuid for netuid, member in self.is_network_member.under(hotkey) if member]

    def append(self, netuid: NetUid, hotkey: AccountId) -> Uid:
        """Take the next free slot."""
        uid = Uid(self.subnetwork_n[netuid])
        self.subnetwork_n[netuid] = U16(uid + 1)
        self._seat(netuid, uid, hotkey)
        return uid

    def replace(self, netuid: NetUid, uid: Uid, hotkey: AccountId) -> AccountId:
        """Take a slot from the hotkey in it, which is returned."""
        former = self.keys[netuid, uid]
        del self.uids[netuid, former]
        del self.is_network_member[former, netuid]
        self._seat(netuid, uid, hotkey)
        return former

    def keep(self, netuid: NetUid, kept: list[int]) -> list[AccountId]:
        """Close the gaps between the slots that are kept, ascending; the hotkeys that lose theirs."""
        hotkeys, since = self.hotkeys(netuid), self.registered_at(netuid)
        lost = [hotkey for uid, hotkey in enumerate(hotkeys) if uid not in kept]
        self.remove_subnet(netuid)
        for uid in kept:
            at = self.append(netuid, hotkeys[uid])
            self.block_at_registration[netuid, at] = U64(since[uid])
        return lost

    def remove_subnet(self, netuid: NetUid) -> None:
        """Empty all slots."""
        for hotkey in self.hotkeys(netuid):
            del self.is_network_member[hotkey, netuid]
        self.uids.clear(netuid)
        self.keys.clear(netuid)
        self.block_at_registration.clear(netuid)
        del self.subnetwork_n[netuid]

    def _seat(self, netuid: NetUid, uid: Uid, hotkey: AccountId) -> None:
        self.keys[netuid, uid] = hotkey
        self.uids[netuid, hotkey] = uid
        self.block_at_registration[netuid, uid] = U64(self.clock.now())
        self.is_network_member[hotkey, netuid] = True

    @invariant
    def slots_and_hotkeys_agree(self) -> None:
        """Keys and uids are inverse to each other, and slots have no gaps."""
        for (netuid, hotkey), uid in self.uids.items():
            assert uid is not None
            assert self.keys[netuid, uid] == hotkey
            assert uid < self.subnetwork_n[netuid]
            assert self.is_network_member[hotkey, netuid]
        for netuid, count in self.subnetwork_n.items():
            assert len(self.keys.under(netuid)) == count
            assert len(self.uids.under(netuid)) == count
