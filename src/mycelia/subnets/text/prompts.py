"""Fresh conversations that look like what people ask.

A challenge must not be recognisable as one, and no stock of stored answers may cover it. So
conversations are composed: what is asked, about what, in which manner, with names and numbers in
it, sometimes after an earlier turn. A few hundred phrases make some billions of conversations.
"""

from __future__ import annotations

import random

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
)
_EARLIER = (
    ("Hello!", "Hello! How can I help you today?"),
    ("Can I ask you something?", "Of course. What would you like to know?"),
    ("I'm {name}.", "Nice to meet you, {name}. What is on your mind?"),
)


def conversation(rng: random.Random) -> list[Message]:
    """Compose a conversation that ends with a user's turn."""
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
        messages.append({"role": "system", "content": rng.choice(_SYSTEMS)})
    if rng.random() < 0.2:
        said, replied = rng.choice(_EARLIER)
        messages.append({"role": "user", "content": said.format(name=name)})
        messages.append({"role": "assistant", "content": replied.format(name=name)})
    manner = rng.choice(_MANNERS)
    messages.append({"role": "user", "content": f"{question} {manner}".strip()})
    return messages
