import socket
from pathlib import Path

import pytest

from mycelia.cli.up.ports import assigned, demand_free, is_free, locked
from mycelia.primitives.errors import AppError

HOST = "127.0.0.1"


@pytest.fixture
def taken():
    with socket.socket() as held:
        held.bind((HOST, 0))
        held.listen()
        yield held.getsockname()[1]


def test_port_in_use_names_the_flag(taken):
    with pytest.raises(AppError) as refused:
        demand_free(HOST, taken, "--rpc-port", "node's RPC")
    assert refused.value.code == "port_in_use"
    assert str(taken) in refused.value.message
    assert "--rpc-port" in refused.value.remedy


def test_free_ports_are_distinct_and_kept(tmp_path):
    ports = assigned(HOST, ("a", "b", "c"), {}, tmp_path)
    assert len(set(ports.values())) == 3
    assert all(is_free(HOST, port) for port in ports.values())
    more = assigned(HOST, ("a", "b", "c", "d"), ports, tmp_path)
    assert more | ports == more


def test_port_taken_meanwhile_is_replaced(taken, tmp_path):
    assert assigned(HOST, ("a",), {"a": taken}, tmp_path)["a"] != taken


def test_two_networks_that_start_at_once_look_in_different_places():
    names = [f"miner-{number}" for number in range(20)]
    folders = Path("/networks/one"), Path("/networks/two")
    first, second = (set(assigned(HOST, names, {}, folder).values()) for folder in folders)
    # Neither listens yet.
    assert first.isdisjoint(second)


def test_folder_is_held_by_one_process(tmp_path):
    with locked(tmp_path):
        with pytest.raises(AppError) as refused, locked(tmp_path):
            pass
        assert refused.value.code == "folder_in_use"
    with locked(tmp_path):
        pass
