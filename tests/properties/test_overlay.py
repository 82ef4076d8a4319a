"""The overlay against a model that copies the whole state at every mark, through commits."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mycelia.state import Accumulators, MemoryStore, Overlay, recompute, values_before

KEYS = [bytes([item]) * 32 + suffix for item in (0, 7) for suffix in (b"", b"a", b"a\0", b"b")]
KEYS += [b":code"]
keys = st.sampled_from(KEYS)
values = st.binary(max_size=3)


class Raw:
    def encode(self, value):
        return bytes(value)

    def decode(self, data):
        return bytearray(data)  # equal to what was put, and not the same object


class OverlayMachine(RuleBasedStateMachine):
    @initialize(first=st.dictionaries(keys, values))
    def begin(self, first):
        self.store = MemoryStore()
        self.sums = Accumulators({})
        self.sums.adopt(self.sums.update(first, dict.fromkeys(first)))
        self.store.commit(0, first, self.sums.all(), {})
        self.overlay = Overlay(self.store.head())
        self.model = dict(first)
        self.marks = []

    @rule(key=keys, value=values)
    def put(self, key, value):
        self.overlay.put(key, value, Raw())
        self.model[key] = value

    @rule(key=keys)
    def delete(self, key):
        self.overlay.delete(key)
        self.model.pop(key, None)

    @rule()
    def mark(self):
        self.marks.append((self.overlay.mark(), dict(self.model)))

    @precondition(lambda self: self.marks)
    @rule(data=st.data())
    def rollback(self, data):
        at = data.draw(st.integers(0, len(self.marks) - 1))
        mark, self.model = self.marks[at]
        del self.marks[at:]
        self.overlay.rollback(mark)

    @precondition(lambda self: self.marks)
    @rule(data=st.data())
    def release(self, data):
        at = data.draw(st.integers(0, len(self.marks) - 1))
        mark, _ = self.marks[at]
        del self.marks[at:]
        self.overlay.release(mark)

    @rule()
    def discard(self):
        self.overlay.discard()
        self.marks.clear()
        view = self.store.head()
        self.model = {key: view.get(key) for key in view.keys(b"")}

    @precondition(lambda self: not self.marks)
    @rule()
    def commit(self):
        changes = self.overlay.drain()
        view = self.store.head()
        updated = self.sums.update(changes, values_before(view, changes))
        self.store.commit(view.height + 1, changes, updated, {})
        self.sums.adopt(updated)
        self.overlay.rebase(self.store.head())
        assert self.sums.all() == recompute(self.store.head())

    @invariant()
    def reads_as_the_model(self):
        if not hasattr(self, "model"):
            return
        for key in KEYS:
            assert self.overlay.get(key, Raw()) == self.model.get(key)
            assert self.overlay.contains(key) == (key in self.model)
        for prefix in (b"", KEYS[0], KEYS[1], b"\7" * 31, b":"):
            assert self.overlay.keys(prefix) == sorted(
                k for k in self.model if k.startswith(prefix)
            )

    @invariant()
    def drains_to_the_model(self):
        if not hasattr(self, "model"):
            return
        view = self.store.head()
        state = {key: view.get(key) for key in view.keys(b"")} | self.overlay.drain()
        assert {key: value for key, value in state.items() if value is not None} == self.model


OverlayMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestOverlay = OverlayMachine.TestCase
