"""A row that the file refuses is lost alone: those beside it, and those after it, are written."""

import asyncio
import hashlib

import bittensor_core

from mycelia.gateway.directory import Route
from mycelia.gateway.keys import OPEN
from mycelia.gateway.metering import Meter, Use
from mycelia.gateway.metrics import Metrics
from mycelia.wire import Endpoint
from mycelia.wire.receipt import Times

GATEWAY = bittensor_core.Keypair.create_from_uri("//gateway")
ROUTE = Route(Endpoint(GATEWAY.ss58_address, "127.0.0.1", 1), "text", 1, 0, 1.0, epoch=7)


async def test_a_row_that_does_not_fit_takes_no_other_with_it(tmp_path):
    meter = Meter.open(tmp_path / "receipts", [GATEWAY], Metrics())

    def use(number: int, tokens: int) -> Use:
        asked = hashlib.sha256(bytes([number])).digest()
        return Use(OPEN, "m", ROUTE, meter.own(asked, b"", Times(1, 2, 3)), tokens)

    uses = [use(0, 5), use(1, 1 << 70), use(2, 6)]
    async with asyncio.timeout(30):
        first, lost, last = await asyncio.gather(*map(meter.record, uses))
        after = await meter.record(use(3, 7))
        used = await meter.usage(OPEN)
    assert lost is None
    for receipt_id in (first, last, after):
        meter.book.find(bytes.fromhex(receipt_id))
    assert used["m"]["requests"] == 3
    assert used["m"]["prompt_tokens"] == 18
    await meter.close()
