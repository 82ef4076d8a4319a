"""One round: a fresh challenge to each of some miners of a subnet, and a judgement of each reply.

Every miner gets an ask of its own, made from the round's seed and its hotkey: who relays what
another miner replied has answered another question. Nothing a miner sends, and nothing a subnet's
judge does, can end the round: each becomes a sample.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from mycelia.neuron.audits import Audit
from mycelia.neuron.book import AUDITED, Identity, Sample, Verdict
from mycelia.neuron.chain import Neuron
from mycelia.neuron.events import EventLog
from mycelia.neuron.subnet import Challenge, Judgement, Meta, Reply, Subnet
from mycelia.neuron.voices import Caller, drawn
from mycelia.wire.contract import Endpoint
from mycelia.wire.errors import Refused, WireError
from mycelia.wire.receipt import Receipt

_JUDGE_S = 120.0
_STREAMED = 0.9
"""Share of challenges that ask for a stream, where there is one. Gateways ask for streams, except in
typed calls: a plain call must be as rare here, yet not absent, for both must be worth the same."""


@dataclass(frozen=True)
class Round:
    """What a round asks, of whom, and how."""

    number: int
    seed: bytes
    miners: Sequence[Neuron]
    lenient: bool = False
    """The validator's permit is so new that miners may not know it yet."""


class _BadAnswer(Exception):
    """The reply is authentic but no `Answer` of the subnet."""


class Sampler:
    """Samples the miners of one subnet on behalf of one validator."""

    def __init__(
        self,
        subnet: Subnet,
        caller: Caller,
        *,
        concurrency: int = 16,
        deadline_s: float | None = None,
        keep: Callable[[Receipt], Awaitable[None]] | None = None,
        heard: Callable[[Sample], None] | None = None,
        log: EventLog | None = None,
    ) -> None:
        """`concurrency` bounds the requests under way at once; a deadline replaces the subnet's.

        `keep` is given every receipt before the answer it is for is judged; `heard` every sample as
        it is made, without the wait for slower miners.
        """
        self._subnet = subnet
        self._keep = keep
        self._heard = heard
        self._deadline_s = deadline_s or subnet.limits.deadline_s
        self._caller = caller
        self._slots = asyncio.Semaphore(concurrency)
        # Models of a judge are rarely safe to share: one judgement at a time per subnet.
        self._judge = asyncio.Lock()
        self._log = log or EventLog(None, "validator")

    async def run(self, round_: Round) -> list[Sample]:
        """Sample every miner of the round; raises only what `Subnet.challenge` raises."""
        order = list(round_.miners)
        random.Random(round_.seed).shuffle(order)  # noqa: S311 - as below
        asked = []
        async with self._judge:
            for miner in order:
                rng = challenge_rng(round_.seed, miner.hotkey)
                challenge = await self._subnet.challenge(rng)
                streamed = self._subnet.Piece is not None and rng.random() < _STREAMED
                asked.append((miner, challenge, streamed))
        begun = (self._sample(m, challenge, round_, streamed) for m, challenge, streamed in asked)
        return list(await asyncio.gather(*begun))

    async def audit(self, miner: Neuron, audit: Audit, number: int) -> Sample | None:
        """Judge an answer to a consumer, in a round: a sample if it is a bad one, else None."""
        subnet = self._subnet
        try:
            ask = subnet.Ask.model_validate(audit.ask)
            answer = subnet.Answer.model_validate(audit.answer)
        except ValidationError:  # the gateway knows another version of the subnet
            return None
        meta = Meta(audit.latency_ms, audit.first_byte_ms, audit.hotkey, audit.claim, audited=True)
        sample = await self._judged(miner, Challenge(ask), number, answer, meta, private=True)
        if sample.verdict is not Verdict.SCORED or sample.score >= subnet.floor:
            return None
        sample = replace(sample, reason=AUDITED)
        if self._heard:
            self._heard(sample)
        return sample

    async def _sample(
        self, miner: Neuron, challenge: Challenge, round_: Round, streamed: bool
    ) -> Sample:
        sample = await self._outcome(miner, challenge, round_, streamed)
        if self._heard:
            self._heard(sample)
        return sample

    async def _outcome(
        self, miner: Neuron, challenge: Challenge, round_: Round, streamed: bool
    ) -> Sample:
        try:
            async with self._slots:
                answer, meta = await self._ask(miner, challenge, streamed)
        except Refused as error:
            blameless = error.status == 403 and round_.lenient
            verdict = Verdict.VOID if blameless else Verdict.FAILED
            return _unscored(miner.identity, round_.number, verdict, error.code)
        except WireError as error:
            return _unscored(miner.identity, round_.number, Verdict.FAILED, error.code)
        except _BadAnswer as error:
            return _unscored(miner.identity, round_.number, Verdict.FAILED, str(error))
        return await self._judged(miner, challenge, round_.number, answer, meta)

    async def _ask(self, miner: Neuron, challenge: Challenge, streamed: bool) -> tuple[Reply, Meta]:
        subnet = self._subnet
        endpoint = Endpoint(miner.hotkey, miner.host or "", miner.port)
        body = challenge.ask.model_dump_json().encode()
        deadline_s = drawn(self._deadline_s)
        try:
            if not streamed:
                outcome = await self._caller.call(endpoint, subnet.path(), body, deadline_s)
                meta = Meta(
                    outcome.total_ms,
                    outcome.first_byte_ms,
                    miner.hotkey,
                    _claim_of(outcome.receipt),
                )
                await self._kept(outcome.receipt)
                answer = subnet.Answer.model_validate_json(outcome.body)
                return _checked(answer, outcome.receipt), meta
            started_s, first_s = time.monotonic(), 0.0
            pieces: list[Any] = []
            async with self._caller.stream(
                endpoint, subnet.stream_path(), body, deadline_s
            ) as chunks:
                async for chunk in chunks:
                    first_s = first_s or time.monotonic()
                    # Streamed subnets declare their Piece, or `streamed` were false.
                    pieces.append(subnet.Piece.model_validate_json(chunk))  # type: ignore[union-attr]
            ended_s = time.monotonic()
            meta = Meta(
                (ended_s - started_s) * 1e3,
                ((first_s or ended_s) - started_s) * 1e3,
                miner.hotkey,
                _claim_of(chunks.receipt),
            )
            await self._kept(chunks.receipt)
            return _checked(subnet.Answer.fold(pieces), chunks.receipt), meta
        except (ValidationError, ValueError) as error:
            raise _BadAnswer("malformed_answer") from error

    async def _kept(self, receipt: Receipt) -> None:
        if self._keep:
            await self._keep(receipt)

    async def _judged(
        self,
        miner: Neuron,
        challenge: Challenge,
        number: int,
        answer: Reply,
        meta: Meta,
        *,
        private: bool = False,
    ) -> Sample:
        """The subnet's judgement. An edge: a judge may fail in any way; the sample is then void.

        Where the words are a consumer's, they must not get into the log, as an error's text may.
        """
        try:
            async with self._judge, asyncio.timeout(_JUDGE_S):
                said = await self._subnet.score(challenge.ask, answer, challenge.truth, meta)
            judged = said if isinstance(said, Judgement) else Judgement(said)
            score = None if judged.score is None else float(judged.score)
            checks = {name: float(value) for name, value in judged.checks.items()}
        except Exception as error:  # an author's code; logged and turned into a void sample
            self._log.emit(
                "judge_failed",
                subnet=self._subnet.name,
                uid=miner.uid,
                round=number,
                error=type(error).__name__ if private else f"{type(error).__name__}: {error}",
            )
            return _unscored(miner.identity, number, Verdict.VOID, "judge_failed")
        if score is None:
            return _unscored(miner.identity, number, Verdict.VOID, "undecided")
        if not (math.isfinite(score) and 0.0 <= score <= 1.0):
            self._log.emit("score_out_of_range", subnet=self._subnet.name, score=str(score))
            return _unscored(miner.identity, number, Verdict.VOID, "score_out_of_range")
        return Sample(
            miner.identity,
            number,
            Verdict.SCORED,
            score,
            latency_ms=meta.latency_ms,
            first_byte_ms=meta.first_byte_ms,
            checks=checks,
            claim=meta.claim,
        )


def challenge_rng(seed: bytes, hotkey: str) -> random.Random:
    """The randomness of one miner's challenge; who knows a round's seed can make it again."""
    return random.Random(seed + hotkey.encode())  # noqa: S311 - reproducible; the seed is secret


def _checked(answer: Reply, receipt: Receipt) -> Reply:
    """The answer, if its receipt says nothing else of its usage."""
    if receipt.usage is not None and receipt.usage != answer.usage():
        raise _BadAnswer("usage_differs")
    return answer


def _claim_of(receipt: Receipt) -> str:
    return receipt.claim.hex() if receipt.claim is not None else ""


def _unscored(miner: Identity, number: int, verdict: Verdict, reason: str) -> Sample:
    return Sample(miner, number, verdict, 0.0, reason)
