"""A miner cannot tell a validator's test from a consumer's request by what it is sent.

Both kinds are sent over real sockets by what sends them in a network: the validator's sampler and
the gateway's dispatcher, from the forms in which OpenAI's clients ask. A miner's view of each is
recorded, byte for byte, and two simple classifiers are trained to tell them apart. What consumers
write is written down here, apart from the phrases that challenges are composed of.

What this does not cover: who opens the connection, when, and what the texts say. Who reads them can
do better than chance, see docs/adr/judge-by-asks-like-any-other.md.
"""

import asyncio
import contextlib
import json
import random
import re
import zlib
from dataclasses import dataclass, field
from pydoc_data.topics import topics

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mycelia.gateway.directory import Route
from mycelia.gateway.dispatch import Dispatcher
from mycelia.gateway.embeddings import parse_embeddings
from mycelia.gateway.errors import ApiError
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.openai import ask_of, parse_chat
from mycelia.gateway.routing import Router
from mycelia.neuron.sampler import Round, Sampler
from mycelia.neuron.voices import Voices
from mycelia.subnets.analysis import Analysis
from mycelia.subnets.text import Text
from mycelia.wire.client import WireClient
from mycelia.wire.contract import Endpoint
from tests.unit.neuron.kit import keypair, neuron

VALIDATORS = [keypair(f"validator-{number}") for number in (1, 2, 3)]
MINER = keypair("miner").ss58_address
COUNT = 600
MOST_BY_FORM = 0.62
"""Area under the curve of the better classifier. 0.5 is chance, give or take 0.02 with so few."""
MOST_BY_SIZES = 0.72
"""The same with the lengths of texts, of which nobody knows how consumers' are spread."""

CHATS = """\
hi
what's the capital of mongolia
tell me a joke
Can you help me plan a birthday party for my daughter? She turns 7 and likes horses.
how many ounces in a cup?
Write a haiku about rain.
Why is the sky blue?
I need three synonyms for "quick".
Is it safe to eat rice that was left out overnight?
Explain how a bill becomes a law, as if I were ten.
My sourdough never rises. I feed it every day at 8 and the kitchen is around 19 degrees. What \
am I doing wrong?
give me a regex for dates like 2024-03-01
Convert 37 C to Fahrenheit
What does "break a leg" mean?
Draft a short message to my landlord: the heating has been off since Tuesday and nobody came.
list the planets
who wrote Middlemarch
Please proofread: Their going to be late cause the bus has broke down.
I have eggs, spinach and feta. What can I cook?
What is 15% of 240?
How do I undo the last commit in git without losing my changes?
suggest a name for a cat
Translate "where is the station" into Spanish and Japanese.
Compare renting and buying for someone who moves every few years. Keep it to a paragraph.
What's a good opening line for a cover letter? I am applying as a lab technician, I have four \
years of experience and I want to sound confident but not arrogant.
Does a tomato count as fruit?
Summarize the plot of Hamlet in two sentences.
How long does it take to boil an egg?
Write a limerick about a programmer from Leeds.
Which is heavier, a kilo of feathers or a kilo of steel?
I feel stuck at work. My manager praises me but I have not had a raise in three years, and \
last week a newer colleague was promoted. How should I bring this up without sounding bitter?
What should I pack for a weekend in Lisbon in November?
define entropy
Explain the difference between TCP and UDP.
Continue the sequence: 2, 3, 5, 8, 13
What are some polite ways to decline an invitation?
Give me a one-line summary of photosynthesis
Write a product description for a hand-made oak cutting board, about 50 words.
Is 391 prime?
Rewrite this so that it sounds less harsh: You never answer my emails.
What time is it in Tokyo when it is noon in Berlin?
Name five rivers in Africa
Help me understand compound interest. If I put 1000 into an account at 4 % and never touch it, \
what do I have after ten years?
what does HTTP 418 mean
Fix this: for i in range(10) print(i)
Say something nice.
Make up a short bedtime story with a dragon who is afraid of the dark.
Are bananas radioactive?
How do I get red wine out of a carpet?
Which day of the week was 9 November 1989?
I'm writing a speech for my sister's wedding. She is a vet, he is a baker, they met on a train \
that was four hours late. Could you give me an opening and a closing?
What is the plural of octopus?
Turn these notes into an agenda: budget, hiring, summer party, new printer
Should I learn Python or JavaScript first?
How far is the moon?
Yes or no: do penguins live at the north pole?
Spell "necessary".
What's wrong with the sentence "Me and him went home"?
Write two sentences about the sea.
Why do cats purr?
""".splitlines()
PASTED = (
    "Summarize:",
    "What is this about?",
    "TL;DR please",
    "Explain the following in simpler words.",
)
SYSTEMS = (
    "You are a helpful assistant.",
    "You are a concise assistant. Answer in at most two sentences.",
    "You are an expert editor who improves texts without changing their meaning, and explains nothing.",
)
REPLIES = (
    "Hello! How can I help?",
    "Sure, here is what I would do: start small.",
    "You're welcome!",
)
SEARCHES = """\
refund not received
how to reset password
best hiking trails near lake
invoice 2291 overdue
symptoms of iron deficiency
The battery of my laptop lasts only an hour since the update. Is that covered by the warranty?
match report
Great service, will come again!
I ordered two and got one, and nobody answers the phone. This is the third time this year.
train strike tomorrow?
quarterly results beat expectations
How do bees find their way home
My flight was moved to the next morning and the hotel was not paid for by the airline.
recipe for lentil soup
meeting notes, second week of May
The patient reports less pain since Monday.
goal in the last minute
New telescope sends first pictures from orbit, and astronomers are surprised by what they show.
""".splitlines()
LABELS = ("complaint", "praise", "question", "news", "health", "sport", "travel", "money")


BEGINNINGS = (
    "what is", "explain", "why does", "example of", "Can you tell me more about", "Is it true:",
    "I don't understand this: ", "How would you say this in other words?", "Please translate:",
    "What comes after", "Which word is wrong in", "Title for:", "and what about", "Define",
)  # fmt: skip


def _english(text):
    """Its plain words: without markup, code and tables."""
    return [
        word
        for word in text.split()
        if re.fullmatch(r"\(?([A-Za-z]+(-[a-z]+)?|\d+(\.\d+)?)[,.;:)]?", word)
    ]


ENGLISH = [_english(topics[name]) for name in sorted(topics)]
ENGLISH = [words for words in ENGLISH if len(words) > 300]


def prose(rng, words):
    """So many words of English that comes with Python, as somebody might paste or look them up."""
    source = rng.choice(ENGLISH)
    start = rng.randrange(len(source) - min(words, 290))
    return " ".join(source[start : start + words])


def chat_body(rng):
    """A request as a consumer's client sends it to a gateway: most leave most out."""
    last = rng.choice(CHATS)
    if rng.random() < 0.4:
        last = f"{rng.choice(BEGINNINGS)} {prose(rng, rng.choice((1, 2, 3, 5, 8, 12, 20)))}"
    if rng.random() < 0.1:
        last = f"{rng.choice(PASTED)}\n\n{prose(rng, rng.randint(20, 120))}"
    messages = []
    if rng.random() < 0.35:
        extra = prose(rng, rng.randint(3, 15)) if rng.random() < 0.5 else ""
        messages.append({"role": "system", "content": f"{rng.choice(SYSTEMS)} {extra}".strip()})
    for _ in range(rng.choices((0, 1, 2), (8, 1, 1))[0]):
        messages.append({"role": "user", "content": rng.choice(CHATS)})
        reply = f"{rng.choice(REPLIES)} {prose(rng, rng.choice((1, 8, 20, 60)))}"
        messages.append({"role": "assistant", "content": reply})
    body = {"model": "m", "messages": [*messages, {"role": "user", "content": last}]}
    if rng.random() < 0.55:
        body["max_tokens"] = rng.choice((16, 20, 32, 50, 50, 64, 100, 100, 128, 150, 200, 500))
    if rng.random() < 0.5:
        body["temperature"] = rng.choice((0, 0, 0.2, 0.3, 0.5, 0.8, 1, 1))
    if rng.random() < 0.08:
        body["seed"] = rng.choice((0, 1, 42, 123))
    return body | {"stream": rng.random() < 0.6}


async def consume_text(dispatcher, rng):
    chat = parse_chat(chat_body(rng))
    ask = ask_of(Text.Ask, chat.fields)
    if rng.random() < 0.08:  # a typed call
        await dispatcher.ask(Text, ask)
    elif chat.stream:
        await dispatcher.stream(Text, ask)
    else:
        await dispatcher.fold(Text, ask)


async def consume_analysis(dispatcher, rng):
    def text():
        long = rng.random() < 0.5
        lengths = (12, 18, 30, 60, 120, 250) if long else (1, 2, 3, 4, 6, 10)
        return rng.choice(SEARCHES) if rng.random() < 0.2 else prose(rng, rng.choice(lengths))

    texts = [text() for _ in range(rng.choices((1, 2, 3, 5), (5, 2, 2, 1))[0])]
    if rng.random() < 0.4:
        kinds = rng.sample(LABELS, rng.randint(2, 4))
        examples = rng.randint(1, 2)
        classes = [{"label": k, "examples": [text() for _ in range(examples)]} for k in kinds]
        fields = {"input": texts, "classes": classes}
    else:
        fields = {"input": parse_embeddings({"model": "m", "input": texts}).texts}
    await dispatcher.ask(Analysis, ask_of(Analysis.Ask, fields))


@dataclass
class Eavesdropper:
    """Where a miner would be: keeps what it is sent, and is too busy for anybody."""

    heard: list[bytes] = field(default_factory=list)
    serving: list[asyncio.Task] = field(default_factory=list)
    port: int = 0

    async def __call__(self, reader, writer):
        self.serving.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(_headers(head)["content-length"])
                self.heard.append(head + await reader.readexactly(length))
                writer.write(b"HTTP/1.1 500 Error\r\nContent-Length: 2\r\n\r\n{}")
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def _headers(head):
    lines = head.decode().split("\r\n")[1:]
    return {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines) if k}


@contextlib.asynccontextmanager
async def listening():
    ear = Eavesdropper()
    server = await asyncio.start_server(ear, "127.0.0.1", 0)
    ear.port = server.sockets[0].getsockname()[1]
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(WireClient(key)) for key in VALIDATORS]
        yield ear, clients
    server.close()
    await asyncio.gather(*ear.serving)


async def heard_of_validators(subnet):
    async with listening() as (ear, clients):
        miner = neuron(9, MINER, port=ear.port)
        for number in range(COUNT):
            who = number % len(clients)
            own = subnet(None)
            own.uid = who + 1
            plan = Round(number, f"{subnet.name} {number}".encode(), [miner])
            await Sampler(own, clients[who]).run(plan)
    return ear.heard


async def heard_of_consumers(subnet, consume):
    async with listening() as (ear, clients):
        route = Route(Endpoint(MINER, "127.0.0.1", ear.port), subnet.name, 1, 9, 1.0)

        class Directory:
            def routes(self, _name):
                return [route]

        for number in range(COUNT):
            dispatcher = Dispatcher(Directory(), Voices(clients), Router(), Metrics())
            with pytest.raises(ApiError):
                await consume(dispatcher, random.Random(f"{subnet.name} {number}"))
    return ear.heard


def shape(request):
    """What must be the same in every request: the names of headers and of fields, in order."""
    head, _, body = request.partition(b"\r\n\r\n")
    headers = _headers(head)
    fixed = {name: headers[name] for name in ("content-type", "x-bittensor-version")}
    return tuple(headers), tuple(fixed.items()), tuple(json.loads(body))


def texts_of(request):
    fields = json.loads(request.partition(b"\r\n\r\n")[2])
    examples = [text for kind in fields.get("classes", ()) for text in kind["examples"]]
    return [turn["content"] for turn in fields.get("messages", ())] or [*fields["input"], *examples]


def form(request):
    """What a request is, apart from its texts: where to, from whom, until when, how much of what."""
    head, _, body = request.partition(b"\r\n\r\n")
    headers, fields = _headers(head), json.loads(body)
    turns = fields.get("messages", ())
    return [
        head.split(b" ")[1].endswith(b"stream"),
        int(headers["x-deadline-ms"]),
        int(headers["x-bittensor-nonce"]) % 1000,
        [key.ss58_address for key in VALIDATORS].index(headers["x-bittensor-hotkey"]),
        len(texts_of(request)),
        len(fields.get("input", ())),
        len(fields.get("classes", ())),
        bool(turns) and turns[0]["role"] == "system",
        fields.get("max_tokens", 0),
        fields.get("temperature", 0),
        fields.get("seed", 0) > 10_000,
        fields.get("seed", 0) % 10,
    ]


def form_and_sizes(request):
    """That, and how long its texts are."""
    sizes = [len(text) for text in texts_of(request)]
    last = texts_of(request)[-1].split()
    return [*form(request), len(request), max(sizes), min(sizes), sizes[-1], len(last)]


@pytest.fixture(autouse=True)
def _drawn_alike_in_every_run(monkeypatch):
    monkeypatch.setattr("mycelia.neuron.voices._CHANCE", random.Random(1))


def told_apart(features, validators, consumers):
    """How well the better of two classifiers tells them apart: area under its curve."""
    rows = np.array([features(request) for request in (*validators, *consumers)], dtype=float)
    truth = np.repeat([1, 0], [len(validators), len(consumers)])
    # To know a text again is not to know its kind: no classifier is tried on what it has seen.
    groups = [zlib.crc32(texts_of(request)[-1].encode()) for request in (*validators, *consumers)]

    def area(model):
        likely = cross_val_predict(
            model, rows, truth, groups=groups, cv=GroupKFold(5), method="predict_proba"
        )
        return float(roc_auc_score(truth, likely[:, 1]))

    linear = make_pipeline(StandardScaler(), LogisticRegression())
    return max(area(linear), area(RandomForestClassifier(100, max_depth=4, random_state=1)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("subnet", "consume"), [(Text, consume_text), (Analysis, consume_analysis)]
)
async def test_tests_and_requests_look_alike(subnet, consume):
    validators = await heard_of_validators(subnet)
    consumers = await heard_of_consumers(subnet, consume)
    assert len(validators) == len(consumers) == COUNT
    assert len({shape(request) for request in (*validators, *consumers)}) == 1
    assert told_apart(form, validators, consumers) <= MOST_BY_FORM
    assert told_apart(form_and_sizes, validators, consumers) <= MOST_BY_SIZES


@pytest.mark.slow
async def test_a_mark_would_be_noticed():
    """The classifiers do see what there is to see: a limit that only challenges have."""
    plain = await heard_of_consumers(Text, consume_text)
    marked = [request.replace(b'"max_tokens":256', b'"max_tokens":255') for request in plain]
    assert told_apart(form, marked, plain) > MOST_BY_FORM
