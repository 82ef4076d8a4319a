"""What lies in each subnet's pool, and how much alpha is out.

Terms: *pool* - TAO and alpha that anybody may trade against; *out* - alpha on hotkeys and in pending emission.
The alpha of a subnet is what is in the pool plus what is out.
"""

from __future__ import annotations

from mycelia.codec import I64, I64F64, U64, U128
from mycelia.frame import Identity, Map, OptionalMap, Pallet, State, Value, invariant
from mycelia.pallets.subtensor.needs import Trade
from mycelia.pallets.subtensor.subnets.custody import Custody
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.primitives import Alpha, NetUid, Tao
from mycelia.primitives.fixed import I64_MAX, I64_MIN, clamped


class Pools(Pallet, name="SubtensorModule"):
    """What lies in each subnet's pool, and how much alpha is out."""

    subnet_tao = Map[NetUid, Tao](
        NetUid,
        Tao,
        hasher=Identity,
        default=Tao(0),
        doc="TAO in the subnet's pool, in rao.",
        name="SubnetTAO",
    )
    subnet_alpha_in = Map[NetUid, Alpha](
        NetUid, Alpha, hasher=Identity, default=Alpha(0), doc="Alpha in the subnet's pool, in rao."
    )
    subnet_alpha_out = Map[NetUid, Alpha](
        NetUid,
        Alpha,
        hasher=Identity,
        default=Alpha(0),
        doc="Alpha outside the subnet's pool, in rao.",
    )
    subnet_protocol_alpha = Map[NetUid, Alpha](
        NetUid,
        Alpha,
        hasher=Identity,
        default=Alpha(0),
        doc="Alpha that the chain itself bought, in rao; neither in the pool nor anybody's.",
    )
    subnet_volume = Map[NetUid, U128](
        NetUid, U128, hasher=Identity, default=U128(0), doc="TAO traded so far, in rao."
    )
    subnet_tao_flow = Map[NetUid, I64](
        NetUid,
        I64,
        hasher=Identity,
        default=I64(0),
        doc="TAO staked less TAO unstaked since the flow was last read, in rao.",
    )
    subnet_ema_tao_flow = OptionalMap[NetUid, tuple[U64, I64F64]](
        NetUid,
        tuple[U64, I64F64],
        hasher=Identity,
        doc="Average of the flow and the block it was taken at; not used.",
    )
    total_stake = Value(Tao, default=Tao(0), doc="TAO in all pools, in rao.")

    subnets: Subnets
    custody: Custody

    def __init__(self, state: State, *, subnets: Subnets, custody: Custody) -> None:
        super().__init__(state, subnets=subnets, custody=custody)

    def reserves(self, netuid: NetUid) -> tuple[Tao, Alpha]:
        """TAO and alpha in the pool."""
        return self.subnet_tao[netuid], self.subnet_alpha_in[netuid]

    def has_pool(self, netuid: NetUid) -> bool:
        """Whether the subnet's alpha has a price of its own."""
        return self.subnets.has_pool(netuid)

    def exists(self, netuid: NetUid) -> bool:
        return self.subnets.exists(netuid)

    def netuids(self) -> list[NetUid]:
        return self.subnets.netuids()

    def alpha_issuance(self, netuid: NetUid) -> Alpha:
        """All alpha of the subnet, in rao."""
        return Alpha(self.subnet_alpha_in[netuid] + self.subnet_alpha_out[netuid])

    def open(self, netuid: NetUid, tao: Tao, alpha: Alpha) -> None:
        """Fill a new subnet's pool."""
        self.subnet_tao[netuid], self.subnet_alpha_in[netuid] = tao, alpha
        self.subnet_alpha_out[netuid] = Alpha(0)
        self.subnet_volume[netuid] = U128(0)
        self.total_stake = Tao(self.total_stake + tao)

    def inject(self, netuid: NetUid, tao: Tao, alpha: Alpha) -> None:
        """Add what the block emission gives the pool. The TAO is on the subnet's account already."""
        self.subnet_tao[netuid] = Tao(self.subnet_tao[netuid] + tao)
        self.subnet_alpha_in[netuid] = Alpha(self.subnet_alpha_in[netuid] + alpha)
        self.total_stake = Tao(self.total_stake + tao)

    def issue(self, netuid: NetUid, alpha: Alpha) -> None:
        """Alpha comes into existence outside the pool."""
        self.subnet_alpha_out[netuid] = Alpha(self.subnet_alpha_out[netuid] + alpha)

    def recycle(self, netuid: NetUid, alpha: Alpha) -> None:
        """Alpha outside the pool goes out of existence."""
        self.subnet_alpha_out[netuid] = Alpha(self.subnet_alpha_out[netuid] - alpha)

    def bought(self, netuid: NetUid, trade: Trade) -> None:
        """Book a purchase of alpha: TAO into the pool, alpha out of it.

        On a subnet without a pool alpha comes into existence as TAO is deposited.
        """
        self._move(netuid, trade.paid_in, -trade.paid_out, trade.paid_in + trade.fee)

    def sold(self, netuid: NetUid, trade: Trade) -> None:
        """Book a sale of alpha: TAO out of the pool, alpha into it."""
        self._move(netuid, -trade.paid_out, trade.paid_in, trade.paid_out)

    def close(self, netuid: NetUid) -> Tao:
        """Empty a subnet's pool for good: all its alpha is gone. What TAO was in it."""
        tao = self.subnet_tao[netuid]
        self.total_stake = Tao(self.total_stake - tao)
        for item in (
            self.subnet_tao,
            self.subnet_alpha_in,
            self.subnet_alpha_out,
            self.subnet_protocol_alpha,
            self.subnet_volume,
            self.subnet_tao_flow,
            self.subnet_ema_tao_flow,
        ):
            del item[netuid]
        return tao

    def record_flow(self, netuid: NetUid, tao_rao: int) -> None:
        """Remember that people brought TAO, or took it (negative)."""
        self.subnet_tao_flow[netuid] = I64(
            clamped(self.subnet_tao_flow[netuid] + tao_rao, I64_MIN, I64_MAX)
        )

    def _move(self, netuid: NetUid, tao_rao: int, alpha_rao: int, volume_rao: int) -> None:
        self.subnet_tao[netuid] = Tao(self.subnet_tao[netuid] + tao_rao)
        if self.subnets.has_pool(netuid):
            self.subnet_alpha_in[netuid] = Alpha(self.subnet_alpha_in[netuid] + alpha_rao)
        self.subnet_alpha_out[netuid] = Alpha(self.subnet_alpha_out[netuid] - alpha_rao)
        self.subnet_volume[netuid] = U128(self.subnet_volume[netuid] + volume_rao)
        self.total_stake = Tao(self.total_stake + tao_rao)

    @invariant
    def pools_are_backed(self) -> None:
        """Each subnet's account holds the TAO of its pool.

        An account that the last holder left may have lost less than the existential deposit as dust.
        """
        for netuid, tao in self.subnet_tao.items():
            assert self.custody.held(netuid) + 500 > tao, netuid

    @invariant
    def total_stake_is_the_sum_of_pools(self) -> None:
        """All pools together hold the total stake."""
        assert self.total_stake == sum(self.subnet_tao.values())
