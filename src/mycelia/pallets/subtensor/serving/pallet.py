"""Serving: where a neuron answers requests and shows its metrics.

The chain only publishes what neurons say; nobody checks that something answers there.
Source: subtensor@14bc6f9 `subnets/serving.rs`.
Differs: loopback addresses are accepted, so that a whole network can live on one machine.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import U8, U16, U32, U64, U128, Bytes
from mycelia.frame import (
    Blake2_128Concat,
    Identity,
    OptionalDoubleMap,
    Origin,
    Pallet,
    State,
    call,
    ensure,
)
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.errors import (
    HotKeyNotRegisteredInNetwork,
    InvalidIpAddress,
    InvalidIpType,
    InvalidPort,
    ServingRateLimitExceeded,
)
from mycelia.pallets.subtensor.events import AxonServed, PrometheusServed
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters
from mycelia.pallets.subtensor.needs import Clock
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.types import AxonInfo, NeuronCertificate, PrometheusInfo
from mycelia.primitives import AccountId, NetUid

MAX_CERTIFICATE_BYTES: Final = 65
IPV4_BROADCAST: Final = 2**32 - 1
IPV6_ALL_ONES: Final = 2**128 - 1
_FAILS: Final = (
    HotKeyNotRegisteredInNetwork,
    InvalidIpType,
    InvalidIpAddress,
    ServingRateLimitExceeded,
    InvalidPort,
)


def check_address(ip_type: int, ip: int) -> None:
    """`InvalidIpType`, or `InvalidIpAddress` where it is not a host's. 0, no address, is judged by the caller."""
    ensure(ip_type in (4, 6), InvalidIpType)
    ensure(ip < (IPV4_BROADCAST if ip_type == 4 else IPV6_ALL_ONES), InvalidIpAddress)


class Serving(Pallet, name="SubtensorModule"):
    """Where a neuron answers requests and shows its metrics."""

    axons = OptionalDoubleMap(
        NetUid,
        AccountId,
        AxonInfo,
        hashers=(Identity, Blake2_128Concat),
        doc="Where the hotkey's neuron answers requests.",
    )
    prometheus = OptionalDoubleMap(
        NetUid,
        AccountId,
        PrometheusInfo,
        hashers=(Identity, Blake2_128Concat),
        doc="Where the hotkey's neuron shows its metrics.",
    )
    neuron_certificates = OptionalDoubleMap(
        NetUid,
        AccountId,
        NeuronCertificate,
        hashers=(Identity, Blake2_128Concat),
        doc="Key that the neuron's TLS endpoint shows.",
    )

    neurons: Neurons
    parameters: Hyperparameters
    clock: Clock

    def __init__(
        self, state: State, *, neurons: Neurons, parameters: Hyperparameters, clock: Clock
    ) -> None:
        super().__init__(state, neurons=neurons, parameters=parameters, clock=clock)

    @call(index=4, weight=cost(206_000_000, 4_178), emits=(AxonServed,), fails=_FAILS, pays=False)
    def serve_axon(
        self,
        origin: Origin,
        netuid: NetUid,
        version: U32,
        ip: U128,
        port: U16,
        ip_type: U8,
        protocol: U8,
        placeholder1: U8,
        placeholder2: U8,
    ) -> None:
        """Say where the signing hotkey's neuron answers requests."""
        info = AxonInfo(
            U64(self.clock.now()), version, ip, port, ip_type, protocol, placeholder1, placeholder2
        )
        self._serve(origin.signed(), netuid, info)

    @call(index=40, weight=cost(206_000_000, 4_149), emits=(AxonServed,), fails=_FAILS, pays=False)
    def serve_axon_tls(
        self,
        origin: Origin,
        netuid: NetUid,
        version: U32,
        ip: U128,
        port: U16,
        ip_type: U8,
        protocol: U8,
        placeholder1: U8,
        placeholder2: U8,
        certificate: Bytes,
    ) -> None:
        """Say where the signing hotkey's neuron answers requests, and which key it shows.

        The first byte of the certificate names the algorithm. One that is too long or empty is ignored.
        """
        hotkey = origin.signed()
        info = AxonInfo(
            U64(self.clock.now()), version, ip, port, ip_type, protocol, placeholder1, placeholder2
        )
        self._serve(hotkey, netuid, info)
        if 0 < len(certificate) <= MAX_CERTIFICATE_BYTES:
            self.neuron_certificates[netuid, hotkey] = NeuronCertificate(
                certificate[1:], U8(certificate[0])
            )

    @call(
        index=5,
        weight=cost(204_000_000, 4_277),
        emits=(PrometheusServed,),
        fails=_FAILS,
        pays=False,
    )
    def serve_prometheus(
        self, origin: Origin, netuid: NetUid, version: U32, ip: U128, port: U16, ip_type: U8
    ) -> None:
        """Say where the signing hotkey's neuron shows its metrics."""
        hotkey = origin.signed()
        # CHECK
        check_address(ip_type, ip)
        ensure(ip != 0, InvalidIpAddress)
        former = self.prometheus[netuid, hotkey]
        self._check(hotkey, netuid, former.block if former else 0, ip_type, ip, port)
        # CHANGE
        self.prometheus[netuid, hotkey] = PrometheusInfo(
            U64(self.clock.now()), version, ip, port, ip_type
        )
        # TELL
        self.deposit(PrometheusServed(netuid, hotkey))

    def axon_of(self, netuid: NetUid, hotkey: AccountId) -> AxonInfo:
        """Where the neuron answers; all zero when it never said."""
        return self.axons[netuid, hotkey] or AxonInfo()

    def prometheus_of(self, netuid: NetUid, hotkey: AccountId) -> PrometheusInfo:
        """Where the neuron shows its metrics; all zero when it never said."""
        return self.prometheus[netuid, hotkey] or PrometheusInfo()

    def forget(self, netuid: NetUid, hotkey: AccountId) -> None:
        """Drop what a replaced neuron said."""
        del self.axons[netuid, hotkey]
        del self.prometheus[netuid, hotkey]
        del self.neuron_certificates[netuid, hotkey]

    def remove_subnet(self, netuid: NetUid) -> None:
        """Drop what a subnet's neurons said."""
        self.axons.clear(netuid)
        self.prometheus.clear(netuid)
        self.neuron_certificates.clear(netuid)

    def _serve(self, hotkey: AccountId, netuid: NetUid, info: AxonInfo) -> None:
        # CHECK
        former = self.axon_of(netuid, hotkey)
        self._check(hotkey, netuid, former.block, info.ip_type, info.ip, info.port)
        # CHANGE
        self.axons[netuid, hotkey] = info
        # TELL
        self.deposit(AxonServed(netuid, hotkey))

    def _check(
        self, hotkey: AccountId, netuid: NetUid, last: int, ip_type: int, ip: int, port: int
    ) -> None:
        ensure(self.neurons.has(netuid, hotkey), HotKeyNotRegisteredInNetwork)
        check_address(ip_type, ip)
        limit = self.parameters.serving_rate_limit[netuid]
        ensure(
            limit == 0 or last == 0 or self.clock.now() - last >= limit, ServingRateLimitExceeded
        )
        ensure(port != 0, InvalidPort)
