"""Fresh texts of the kinds that people have embedded and sorted: searches, questions, reports.

A challenge must not be recognisable as one, and no stock of stored vectors may cover it. So texts
are composed of an area's things and happenings, names and numbers, from three words to several
paragraphs. A vector of a composed text follows from no vectors of its parts.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from mycelia.subnets.phrasing import as_typed

_LENGTHS = (1, 1, 1, 1, 2, 2, 4, 7, 11, 18)
"""Sentences of a longer text; the last ones go beyond what the model reads."""
_SHORT = 0.5
"""Share of texts that are a search or a question."""
_FEW_WORDS = 0.5
"""Share of searches that are a few words only."""
_TEXTS = (1, 1, 1, 1, 1, 2, 2, 3, 3, 5)
"""Texts in one request."""
_NUMBERED = 0.15
"""Share of happenings that may have a number in them."""


@dataclass(frozen=True)
class Area:
    """What texts of one kind are about."""

    labels: tuple[str, ...]
    things: tuple[str, ...]
    happenings: tuple[str, ...]
    """Said of a thing, in the past."""


AREAS = (
    Area(
        ("shipping", "delivery", "logistics", "parcels"),
        ("the parcel", "my order", "the courier", "a pallet of tiles", "the tracking page",
         "the second box", "the return label", "the warehouse in Rotterdam"),
        ("arrived {n} days late", "was left at the wrong door", "never came", "got lost in customs",
         "turned up soaked", "was signed for by a stranger", "has not moved since {day}"),
    ),
    Area(
        ("billing", "payments", "invoices", "refunds"),
        ("the invoice", "my card", "the refund", "a charge of {n} euros", "the monthly plan",
         "the receipt from {day}", "the discount", "the bank transfer"),
        ("was booked twice", "shows the wrong amount", "was declined", "has not been paid back",
         "lists a company that I do not know", "was due {n} days ago", "includes no tax"),
    ),
    Area(
        ("software", "technology", "bugs", "IT"),
        ("the login page", "version {n}.2", "the export button", "our main server", "the new phone",
         "the database", "the app", "a background job", "the certificate"),
        ("crashes after {n} seconds", "answers with an empty page", "forgot my password again",
         "was slower than last week", "lost its settings", "ran out of memory on {day}",
         "needs an update", "returned an error that nobody could explain"),
    ),
    Area(
        ("cooking", "food", "recipes", "kitchen"),
        ("the soup", "{name}'s bread", "a pinch of saffron", "the oven", "the sauce", "the risotto",
         "a pan of onions", "the lemon cake"),
        ("simmered for {n} minutes", "needed more salt", "came out far too dry", "tasted of smoke",
         "was served with rice", "rose twice as high as usual", "went well with the wine"),
    ),
    Area(
        ("health", "medicine", "fitness", "wellbeing"),
        ("her knee", "the vaccine", "the doctor", "a course of tablets", "his blood pressure",
         "the physiotherapist", "a night of good sleep", "the allergy"),
        ("got worse on {day}", "was checked {n} times", "hurt while climbing stairs",
         "helped within an hour", "was prescribed for {n} weeks", "returned to normal"),
    ),
    Area(
        ("sport", "games", "football", "matches"),
        ("the goalkeeper", "the away team", "{name}", "the final", "a young striker",
         "the referee", "the relay", "the coach"),
        ("scored in minute {n}", "lost after extra time", "was sent off", "broke a record on {day}",
         "trained in the rain", "won by {n} points", "asked for a substitution"),
    ),
    Area(
        ("finance", "economy", "markets", "business"),
        ("the central bank", "the share price", "inflation", "a bakery chain", "the budget",
         "the merger", "a fund run by {name}", "the housing market"),
        ("fell by {n} percent", "surprised analysts on {day}", "rose for the {n}th month",
         "cut its forecast", "was blamed on energy costs", "recovered before the close"),
    ),
    Area(
        ("science", "nature", "research", "environment"),
        ("the telescope", "a colony of bees", "the glacier", "an enzyme", "the research vessel",
         "{name}'s team", "the forest north of the lake", "a faint star"),
        ("moved {n} metres in a year", "was measured again on {day}", "reacts to light",
         "shrank faster than models had said", "was found at a depth of {n} metres",
         "sent back {n} pictures"),
    ),
    Area(
        ("travel", "holidays", "tourism", "hotels"),
        ("the night train", "our room", "the ferry to the island", "the guide", "the airport",
         "a small hotel by the harbour", "the museum", "the hiking trail"),
        ("was full of people", "left {n} minutes early", "had a view of the sea",
         "was closed on {day}", "cost {n} euros", "was worth the detour", "smelled of pine"),
    ),
    Area(
        ("work", "office", "jobs", "meetings"),
        ("the meeting with {name}", "the contract", "the quarterly report", "the new colleague",
         "the interview", "our project", "the deadline", "the presentation"),
        ("was moved to {day}", "took {n} hours", "ended without a decision", "needs a signature",
         "was praised by the board", "starts in {n} weeks", "covers too many topics"),
    ),
)  # fmt: skip
_NAMES = (
    "Amara", "Jonas", "Mei", "Ravi", "Sofia", "Tomasz", "Leila", "Kofi", "Ingrid", "Mateo",
    "Yuki", "Elena", "Samuel", "Fatima", "Henrik", "Priya",
)  # fmt: skip
_DAYS = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "3 March",
    "the first of May", "New Year's Eve",
)  # fmt: skip
_SEARCHES = (
    "{thing}", "{thing}", "{thing} help", "{thing} advice", "problem with {thing}",
    "{thing} and {other}",
    "{thing} {happening}", "why {thing} {happening}", "{thing} {day}", "{name} {thing} {happening}",
    "what to do when {thing} {happening}", "{thing} or {other}?", "is it normal that {thing} {happening}?",
    "How do I explain to {name} that {thing} {happening}?",
)  # fmt: skip
_SENTENCES = (
    "{thing} {happening}, so that {other} should be looked at again before anything else is done.",
    "For somebody who has to deal with {thing} all the time it matters that {other} {sequel}.",
    "Against {thing} there is little to be said, except that nobody explained {other} to us.",
    "Both {thing} and {other} were mentioned by several people who had been there from the beginning.",
    "As long as {thing} is what everybody talks about, nobody will notice that {other} {sequel}.",
    "It is not clear whether {thing} or {other} was the reason.",
    "{thing} {happening}.", "On {day}, {thing} {happening}.", "{name} says that {thing} {happening}.",
    "After {thing} {happening}, {other} {sequel}.", "It turned out that {thing} {happening}.",
    "We were told that {other} {sequel}, but {thing} {happening}.", "{thing} {happening}, as {name} had said.",
    "Nobody expected that {thing} {happening}.", "{name} asked about {other} because {thing} {happening}.",
)  # fmt: skip


def request(rng: random.Random) -> tuple[str, ...]:
    """Texts of one request for vectors, from a single search to a handful of documents."""
    return tuple(_text(rng.choice(AREAS), rng) for _ in range(rng.choice(_TEXTS)))


def labelled(
    rng: random.Random,
) -> tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...]]:
    """Texts to sort, and labels with examples to sort them by."""
    areas = rng.sample(AREAS, rng.randint(2, 4))
    examples = rng.randint(1, 2)
    classes = tuple(
        (rng.choice(area.labels), tuple(_text(area, rng) for _ in range(examples)))
        for area in areas
    )
    return tuple(_text(rng.choice(areas), rng) for _ in range(rng.choice(_TEXTS))), classes


def _text(area: Area, rng: random.Random) -> str:
    if rng.random() < _SHORT:
        words = _filled(rng.choice(_SEARCHES), area, rng).split()
        if rng.random() < _FEW_WORDS:
            words = words[-rng.randint(1, 4) :]
        return as_typed(" ".join(words), rng)
    sentences = (_filled(rng.choice(_SENTENCES), area, rng) for _ in range(rng.choice(_LENGTHS)))
    return as_typed(" ".join(s[0].upper() + s[1:] for s in sentences), rng)


def _happening(area: Area, rng: random.Random) -> str:
    plain = [said for said in area.happenings if "{n}" not in said]
    return rng.choice(area.happenings if rng.random() < _NUMBERED else plain)


def _filled(form: str, area: Area, rng: random.Random) -> str:
    thing, other = rng.sample(area.things, 2)
    # Most happenings come without a number, as in what people write.
    happening, sequel = (_happening(area, rng) for _ in range(2))
    text = form.replace("{thing}", thing).replace("{other}", other)
    text = text.replace("{happening}", happening).replace("{sequel}", sequel)
    return text.format(name=rng.choice(_NAMES), day=rng.choice(_DAYS), n=rng.randint(2, 97))
