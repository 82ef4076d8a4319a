"""Emission never hands out more than it has, up to the largest amounts there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mycelia.pallets.subtensor.emission import kernel
from mycelia.pallets.subtensor.emission.kernel import SubnetShare
from mycelia.primitives.fixed import ONE_Q32, ONE_Q64, U64_MAX

RAO = st.one_of(st.sampled_from([0, 1, 2, 21 * 10**15, U64_MAX]), st.integers(0, U64_MAX))
U16 = st.integers(0, 65_535)
PROPORTION = st.one_of(st.sampled_from([0, 1, ONE_Q32 - 1, ONE_Q32]), st.integers(0, ONE_Q32))
SHARES = st.lists(
    st.builds(
        SubnetShare,
        moving_price_q64=st.one_of(st.sampled_from([0, 1, ONE_Q64]), st.integers(0, 100 * ONE_Q64)),
        miner_burned_q32=PROPORTION,
        enabled=st.booleans(),
    ),
    max_size=8,
)
ACCOUNTS = st.integers(0, 5).map(lambda n: bytes([n]) * 32)


@given(RAO, PROPORTION, st.none() | U16)
def test_split_hands_out_all_but_dust(alpha: int, root: int, cut: int | None) -> None:
    split = kernel.alpha_split(alpha, root, cut)
    total = split.owner_rao + split.servers_rao + split.validators_rao + split.root_rao
    assert alpha - 4 < total <= alpha


@given(SHARES, RAO)
def test_subnets_share_no_more_than_the_block(subnets: list[SubnetShare], block: int) -> None:
    shares = kernel.subnet_shares(subnets)
    assert sum(kernel.subnet_emission_q32(block, share) for share in shares) <= block << 32
    assert all(share == 0 for share, s in zip(shares, subnets, strict=True) if not s.enabled)


@given(RAO, RAO, st.integers(0, 1000 * ONE_Q64), PROPORTION)
def test_injection_spends_no_more_than_the_emission(
    tao: int, alpha: int, price: int, root: int
) -> None:
    pair = kernel.injection(tao << 32, alpha, price, root)
    assert tao - 2 < pair.tao_in_rao + pair.buying_tao_rao <= tao or price < ONE_Q32
    assert pair.alpha_in_rao <= alpha


@given(
    st.dictionaries(ACCOUNTS, RAO),
    st.dictionaries(ACCOUNTS, st.tuples(RAO, RAO)),
    PROPORTION,
    RAO,
    RAO,
)
def test_dividends_stay_within_what_is_pending(
    dividends: dict[bytes, int],
    stakes: dict[bytes, tuple[int, int]],
    weight: int,
    alpha: int,
    root: int,
) -> None:
    paid = kernel.dividend_distribution(dividends, stakes, weight, alpha, root)
    assert sum(paid.alpha_q32.values()) <= alpha << 32
    assert sum(paid.root_q32.values()) <= root << 32
    assert set(paid.alpha_q32) == set(dividends) & set(stakes)


@given(st.integers(0, 21 * 10**15), st.integers(0, 10**15))
def test_block_emission_falls_as_issuance_grows(issuance: int, more: int) -> None:
    assert kernel.block_emission_rao(issuance + more) <= kernel.block_emission_rao(issuance)
