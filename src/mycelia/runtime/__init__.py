"""The chain's rules as a function of state and block."""

from mycelia.pallets.system.types import RuntimeVersion
from mycelia.runtime.apis import ApiNotFound
from mycelia.runtime.executor import Runtime, Validity
from mycelia.runtime.extrinsic import Era, Extrinsic
from mycelia.runtime.genesis import GenesisConfig
from mycelia.runtime.rules import Rules
from mycelia.runtime.version import SPEC_VERSION, VERSION

__all__ = [
    "SPEC_VERSION",
    "VERSION",
    "ApiNotFound",
    "Era",
    "Extrinsic",
    "GenesisConfig",
    "Rules",
    "Runtime",
    "RuntimeVersion",
    "Validity",
]
