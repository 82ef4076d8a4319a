"""Fresh conversations that look like what people ask.

A challenge must not be recognisable as one, and no stock of stored answers may cover it. So
conversations are composed: what is asked, about what, in which manner, with names and numbers in
it, sometimes after an earlier turn or about a text that comes along. A few hundred phrases make
some billions of conversations.

*Open* ones ask for text that could go on for long, *brief* ones for what is soon said: a validator
can afford to give those as many tokens as consumers do who set no limit.
"""

from __future__ import annotations

import random

from mycelia.subnets.phrasing import as_typed

Message = dict[str, str]

_TOPICS = (
    "the tides", "a sourdough starter", "compound interest", "the moons of Jupiter", "bees",
    "the French Revolution", "binary search", "photosynthesis", "chess openings", "volcanoes",
    "the human heart", "public libraries", "jazz", "recycling glass", "electric cars", "haiku",
    "black holes", "growing tomatoes", "the Roman aqueducts", "vaccines", "lighthouses",
    "learning the piano", "marathon training", "coral reefs", "the printing press", "inflation",
    "sleep", "knitting", "solar panels", "the Silk Road", "prime numbers", "earthquakes",
    "coffee", "migrating birds", "the water cycle", "maps", "bridges", "password safety",
    "the immune system", "olive oil", "glaciers", "Shakespeare", "bicycles", "rainbows",
    "the stock market", "whales", "city planning", "cheese", "time zones", "gravity",
    "museums", "recursion", "mountain weather", "tea ceremonies", "robots", "soil",
    "storytelling", "elections", "dinosaurs", "batteries",
)  # fmt: skip
_QUESTIONS = (
    "Explain {topic} to a {age}-year-old.",
    "What should everyone know about {topic}?",
    "Give me {count} surprising facts about {topic}.",
    "Write a short paragraph about {topic} for {name}'s newsletter.",
    "Why do people care about {topic}?",
    "How would you introduce {topic} in a {count}-minute talk?",
    "Tell me a little story about {name} and {topic}.",
    "What are common mistakes people make with {topic}?",
    "Compare {topic} with {other}.",
    "I have to write about {topic} and {other}. Where do I start?",
    "List {count} questions a curious person might ask about {topic}.",
    "Describe {topic} the way {name}, a {job}, would.",
    "My friend {name} thinks {topic} is boring. Change their mind.",
    "What is the connection between {topic} and {other}?",
    "Write an email to {name} inviting them to a workshop on {topic}.",
    "Summarise what is known about {topic}.",
    "Plan a lesson on {topic} for {count} pupils.",
    "As a {job}, what would you say about {topic}?",
)
_MANNERS = (
    "", "", "", "Keep it simple.", "Be brief.", "Use plain words.", "Give an example.",
    "Answer in two or three sentences.", "Be friendly.", "Avoid jargon.", "Start with the main point.",
    "Use a numbered list.", "Thanks!", "Please be precise.", "Add a touch of humour.",
)  # fmt: skip
_NAMES = (
    "Amara", "Jonas", "Mei", "Ravi", "Sofia", "Tomasz", "Leila", "Kofi", "Ingrid", "Mateo",
    "Yuki", "Elena", "Samuel", "Fatima", "Henrik", "Priya",
)  # fmt: skip
_JOBS = (
    "teacher", "nurse", "carpenter", "pilot", "chef", "gardener", "librarian", "engineer",
    "fisherman", "journalist",
)  # fmt: skip
_SYSTEMS = (
    "You are a helpful assistant.",
    "You answer questions clearly.",
    "You are a patient tutor.",
    "You are a helpful assistant. Answer in plain words, and say so when you do not know something.",
    "You work for the service desk of a small company. Be polite and to the point.",
    "Answer as short as possible.",
)
_EARLIER = (
    ("Hello!", "Hello! How can I help you today?"),
    ("Can I ask you something?", "Of course. What would you like to know?"),
    ("I'm {name}.", "Nice to meet you, {name}. What is on your mind?"),
    ("What is a good time to call {name}?", "Most people can be reached in the late afternoon."),
    ("Thanks, that was useful.", "You are welcome! Is there anything else?"),
    ("How do I begin a letter to {name}?", "You could write: Dear {name}, I hope you are well."),
)
_WITH_SYSTEM = 0.35
_WITH_EARLIER = 0.2
_WITH_TEXT = 0.1
_SHORT = 0.5
"""Shares of conversations with a system's turn, with earlier turns, about a text, and of few words."""
_BRIEF = (
    "What is {a} times {b}?", "Write the number {a} in words.",
    "In which field of work does one need {topic}?", "What goes well with {topic}?",
    "Is {topic} older than {other}? Answer yes or no.",
    "In one word, what do you think of when you hear about {topic}?",
    "Name one thing that a {job} needs every day.", "Give me a title for a talk about {topic}.",
    'Is this friendly or angry? "{note}"', "Translate into {language}: {note}",
    "Say this more politely: {note}", "Turn this into a question: {note}",
    "Who is meant in this sentence, and when was it? {note}",
    "Does a {job} have to know about {topic}? Just yes or no, please.",
    "Write a subject line for an email in which I say: {note}",
    "Correct the grammar: {name} have never saw {topic} before.",
    "What would be a good name for a shop run by a {job}?",
    "Give me one word that rhymes with a word in this: {note}",
    "Finish this in a few words: When {name} first read about {topic},",
)  # fmt: skip
_TERSE = (
    "{a} * {b}", "Another word for {thing}?", "{thing} in {language}", "{thing} in {language}?",
    "Hello {name}", "Hi, are you there?", "Say hello to {name}.", "a rhyme for {thing}?",
    "opposite of a {job}?", "Fix: {name} have a {thing}", "Thank you!", "one word about {topic}",
    "Yes or no: does a {job} like {topic}?", "What colour is a {thing}? One word.",
)  # fmt: skip
_TERSE_BUT_OPEN = (
    "what is {topic}?", "{topic}: one fact, please.", "{topic}", "what about {topic} and {other}?",
    "how does {topic} work", "Why {topic}?", "one line about {topic}", "Who invented the {thing}?",
    "Is {topic} taught at school?", "Name two {job}s.", "When is {day}?", "Spell {topic}.",
    "Who likes {topic}?", "Does {name} need a {thing}?", "Is a {thing} heavy?",
)  # fmt: skip
_ABOUT_A_TEXT = (
    "Summarise this in one sentence.", "What is the text below about? One line is enough.",
    "Which people are named here?", "Give this a headline.", "Is the tone of this good or bad?",
    "What happened first?", "Can you shorten this to a single sentence?",
)  # fmt: skip
_CONTEXTS = (
    "I am a {job} and have {count} minutes.", "This is for {name}, who is {age}.",
    "We talked about {topic} yesterday.", "I know little about {topic}.",
    "{name} and I disagree about this.", "I have read {count} pages on {other} already.",
    "My class of {count} asked me this.", "I am preparing something about {topic} for work.",
    "It should fit on one page and be clear to somebody who is {age} years old.",
    "Please mention {other}, too, if it has anything to do with it.",
)  # fmt: skip
_NOTES = (
    "{name} forgot the {thing} on {day}.", "the {thing} was not there when {name} came.",
    "I will be {count} minutes late because of the {thing}.", "{name} liked the {thing} very much.",
    "We sold {count} of them before {day}.", "nobody told {name} about the {thing}.",
    "Please send me the {thing} by {day}.", "{name}, a {job}, has lost the {thing} again.",
    "The {thing} that {name} ordered on {day} costs {count} euros more now.",
    "After {count} weeks, {name} found the {thing} behind the door.",
)  # fmt: skip
_THINGS = (
    "keys", "report", "parcel", "ticket", "recipe", "invoice", "map", "camera", "letter", "lamp",
    "contract", "garden chair", "second volume", "blue folder", "spare wheel",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Sunday", "1 May", "3 October")
_LANGUAGES = ("French", "German", "Spanish", "Italian", "Portuguese", "Dutch")


def brief(rng: random.Random) -> list[Message]:
    """Compose a conversation whose last turn is soon answered."""
    if rng.random() < _WITH_TEXT:
        sentences = _filled(" ".join(rng.choices(_NOTES, k=rng.randint(2, 16))), rng)
        parts = [_filled(rng.choice(_ABOUT_A_TEXT), rng), sentences]
        if rng.random() < 0.5:
            parts.reverse()
        return _with_earlier_turns("\n\n".join(parts), rng)
    if rng.random() < _SHORT:
        return _with_earlier_turns(as_typed(_filled(rng.choice(_TERSE), rng), rng), rng)
    question = rng.choice(_BRIEF).replace("{note}", rng.choice(_NOTES))
    return _with_earlier_turns(_filled(_in_context(question, rng), rng), rng)


def open_ended(rng: random.Random) -> list[Message]:
    """Compose a conversation whose last turn could be answered at length."""
    if rng.random() < _SHORT:
        return _with_earlier_turns(as_typed(_filled(rng.choice(_TERSE_BUT_OPEN), rng), rng), rng)
    question = _question(rng)
    if rng.random() < 0.4:
        question = f"{question} {rng.choice(_MANNERS)}".strip()
    return _with_earlier_turns(_filled(_in_context(question, rng), rng), rng)


def _in_context(question: str, rng: random.Random) -> str:
    contexts = rng.sample(_CONTEXTS, rng.choice((0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 4)))
    return as_typed(" ".join([*contexts, question]), rng)


def _question(rng: random.Random) -> str:
    """Choose one, seldom with a number in it."""
    plain = [form for form in _QUESTIONS if "{count}" not in form and "{age}" not in form]
    return rng.choice(_QUESTIONS if rng.random() < 0.3 else plain)


def _filled(form: str, rng: random.Random) -> str:
    topic, other = rng.sample(_TOPICS, 2)
    return form.format(
        topic=topic,
        other=other,
        name=rng.choice(_NAMES),
        job=rng.choice(_JOBS),
        thing=rng.choice(_THINGS),
        day=rng.choice(_DAYS),
        language=rng.choice(_LANGUAGES),
        age=rng.randint(5, 80),
        count=rng.randint(3, 25),
        a=rng.randint(3, 999),
        b=rng.randint(3, 999),
    )


def _with_earlier_turns(last: str, rng: random.Random) -> list[Message]:
    messages: list[Message] = []
    if rng.random() < _WITH_SYSTEM:
        more = rng.choice(_CONTEXTS) if rng.random() < 0.5 else ""
        system = _filled(f"{rng.choice(_SYSTEMS)} {more}".strip(), rng)
        messages.append({"role": "system", "content": system})
    if rng.random() < _WITH_EARLIER:
        for said, replied in rng.sample(_EARLIER, rng.choice((1, 1, 2))):
            name = rng.choice(_NAMES)
            messages.append({"role": "user", "content": as_typed(said.format(name=name), rng)})
            more = " ".join(rng.choices(_NOTES, k=rng.choice((0, 1, 2, 6))))
            reply = _filled(f"{replied} {more}".strip(), rng)
            messages.append({"role": "assistant", "content": reply})
    return [*messages, {"role": "user", "content": last}]


def measured(rng: random.Random) -> list[Message]:
    """Compose a conversation as the recorded calibration has them: its asks follow from a seed."""
    topic, other = rng.sample(_TOPICS, 2)
    name = rng.choice(_NAMES)
    question = rng.choice(_QUESTIONS).format(
        topic=topic,
        other=other,
        name=name,
        job=rng.choice(_JOBS),
        age=rng.randint(5, 80),
        count=rng.randint(3, 25),
    )
    messages: list[Message] = []
    if rng.random() < 0.3:
        messages.append({"role": "system", "content": rng.choice(_SYSTEMS[:3])})
    if rng.random() < 0.2:
        said, replied = rng.choice(_EARLIER[:3])
        messages.append({"role": "user", "content": said.format(name=name)})
        messages.append({"role": "assistant", "content": replied.format(name=name)})
    manner = rng.choice(_MANNERS)
    messages.append({"role": "user", "content": f"{question} {manner}".strip()})
    return messages
