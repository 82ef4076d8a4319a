"""Measures and Prometheus' text form of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_KINDS = {True: "counter", False: "gauge"}

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Metric:
    """One measure with its values by labels. Names of counters end in `_total`."""

    name: str
    about: str
    values: Mapping[Labels, float]

    @classmethod
    def one(cls, name: str, about: str, value: float) -> Metric:
        """A measure without labels."""
        return cls(name, about, {(): value})

    @classmethod
    def by(cls, label: str, name: str, about: str, values: Mapping[str, float]) -> Metric:
        """A measure with one label."""
        return cls(name, about, {((label, key),): value for key, value in values.items()})

    def lines(self) -> Iterable[str]:
        """Prometheus' text form."""
        yield f"# HELP {self.name} {self.about}"
        yield f"# TYPE {self.name} {_KINDS[self.name.endswith('_total')]}"
        for labels, value in self.values.items():
            inner = ",".join(f"{name}={json.dumps(text)}" for name, text in labels)
            yield f"{self.name}{'{' + inner + '}' if inner else ''} {value:.10g}"


def text_of(metrics: Iterable[Metric]) -> str:
    """What Prometheus reads of all of them."""
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())
