import socket

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


def test_free_ports_are_distinct_and_kept(taken):
    ports = assigned(HOST, ("a", "b", "c"), {})
    assert len(set(ports.values())) == 3
    assert all(is_free(HOST, port) for port in ports.values())
    assert assigned(HOST, ("a", "b", "c", "d"), ports) | ports == assigned(
        HOST, ("a", "b", "c", "d"), ports
    )


def test_port_taken_meanwhile_is_replaced(taken):
    assert assigned(HOST, ("a",), {"a": taken})["a"] != taken


def test_folder_is_held_by_one_process(tmp_path):
    with locked(tmp_path):
        with pytest.raises(AppError) as refused, locked(tmp_path):
            pass
        assert refused.value.code == "folder_in_use"
    with locked(tmp_path):
        pass
