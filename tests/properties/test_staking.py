"""Laws of staking: whatever people do, issuance is balances, pools are backed, and trading never gains.

`World` checks every pallet's invariants after every block.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mycelia.primitives import NetUid
from mycelia.testing.oracle import Person
from mycelia.testing.world import World

TAO = 10**9
PEOPLE = ("//Bob", "//Charlie", "//Dave")
HOTKEYS = ("//Alice_hk1", "//Bob_hk", "//Charlie_hk")
NETUIDS = (0, 1)


class Staking(RuleBasedStateMachine):
    """People register, stake and unstake in any order."""

    @initialize()
    def begin(self):
        self.world = World({"//Alice": 10_000 * TAO, **dict.fromkeys(PEOPLE, 500 * TAO)})
        hotkey = Person("//Alice_hk1").address
        assert self.call("//Alice", "register_network", hotkey=hotkey).succeeded
        assert self.call("//Alice", "start_call", netuid=1).succeeded

    def call(self, uri, name, **params):
        return self.world.submit(uri, "SubtensorModule", name, **params)

    @rule(who=st.sampled_from(PEOPLE), hotkey=st.sampled_from(HOTKEYS))
    def register(self, who, hotkey):
        self.call(who, "burned_register", netuid=1, hotkey=Person(hotkey).address)

    @rule(
        who=st.sampled_from(PEOPLE),
        hotkey=st.sampled_from(HOTKEYS),
        netuid=st.sampled_from(NETUIDS),
        amount=st.integers(0, 300 * TAO),
    )
    def stake(self, who, hotkey, netuid, amount):
        self.call(
            who,
            "add_stake",
            hotkey=Person(hotkey).address,
            netuid=netuid,
            amount_staked=amount,
        )

    @rule(
        who=st.sampled_from(PEOPLE),
        hotkey=st.sampled_from(HOTKEYS),
        netuid=st.sampled_from(NETUIDS),
        amount=st.integers(0, 300 * TAO),
    )
    def unstake(self, who, hotkey, netuid, amount):
        self.call(
            who,
            "remove_stake",
            hotkey=Person(hotkey).address,
            netuid=netuid,
            amount_unstaked=amount,
        )

    @rule(
        who=st.sampled_from(PEOPLE),
        hotkey=st.sampled_from(HOTKEYS),
        amount=st.integers(1, 300 * TAO),
        limit=st.integers(1, 3 * TAO),
        partial=st.booleans(),
        selling=st.booleans(),
    )
    def trade_with_limit(self, who, hotkey, amount, limit, partial, selling):
        name, field = (
            ("remove_stake_limit", "amount_unstaked")
            if selling
            else ("add_stake_limit", "amount_staked")
        )
        self.call(
            who,
            name,
            hotkey=Person(hotkey).address,
            netuid=1,
            limit_price=limit,
            allow_partial=partial,
            **{field: amount},
        )

    @rule(who=st.sampled_from(PEOPLE), hotkey=st.sampled_from(HOTKEYS))
    def leave(self, who, hotkey):
        self.call(who, "unstake_all", hotkey=Person(hotkey).address)

    @rule()
    def next_block(self):
        before = self.world.pallets.issuance.total_issuance
        self.world.seal()
        minted = self.world.pallets.issuance.total_issuance - before
        assert 0 <= minted <= TAO

    @rule(who=st.sampled_from(PEOPLE), amount=st.integers(10**7, 50 * TAO))
    def a_round_trip_never_gains(self, who, amount):
        account, hotkey = Person(who).account, Person("//Alice_hk1")
        balances, stakes = self.world.pallets.balances, self.world.pallets.stakes
        before = balances.free_balance(account)
        had = stakes.stake_of(hotkey.account, account, NetUid(1))
        staked = self.call(who, "add_stake", hotkey=hotkey.address, netuid=1, amount_staked=amount)
        if staked.succeeded:
            bought = stakes.stake_of(hotkey.account, account, NetUid(1)) - had
            self.call(
                who,
                "remove_stake",
                hotkey=hotkey.address,
                netuid=1,
                amount_unstaked=bought,
            )
        assert balances.free_balance(account) <= before

    @invariant()
    def issuance_is_counted_twice_alike(self):
        if hasattr(self, "world"):
            pallets = self.world.pallets
            assert pallets.issuance.total_issuance == pallets.balances.total_issuance


Staking.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestStaking = Staking.TestCase
