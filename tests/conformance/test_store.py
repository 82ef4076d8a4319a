"""Both stores obey the same laws."""

from mycelia.state import HISTORY_BLOCKS, MemoryStore
from mycelia.state.lmdb import LmdbStore
from mycelia.testing.state import StoreSuite


class TestMemoryStore(StoreSuite):
    def make(self, tmp_path, *, archive=False, history=HISTORY_BLOCKS):
        return MemoryStore(archive=archive, history=history)


class TestLmdbStore(StoreSuite):
    def make(self, tmp_path, *, archive=False, history=HISTORY_BLOCKS):
        return LmdbStore(tmp_path / "store", archive=archive, history=history, sync=False)
