"""What the server sends goes out at once."""

import socket

from core.ui.sockets import OPEN_FILES, send_at_once


def waits(connection: socket.socket) -> bool:
    return not connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_connections_to_a_listening_socket_wait_for_no_receipt() -> None:
    with socket.socket(socket.AF_INET) as listening:  # without a protocol, as Streamlit makes it
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        for told in (False, True):
            if told:
                assert send_at_once() >= 1
            with socket.create_connection(listening.getsockname()):
                accepted, _ = listening.accept()
                with accepted:
                    assert waits(accepted) is not told


def test_other_files_are_left_as_they_are() -> None:
    with socket.socket(socket.AF_INET) as silent, open(__file__, encoding="utf-8") as file:
        before = len(list(OPEN_FILES.iterdir()))
        send_at_once()
        assert len(list(OPEN_FILES.iterdir())) == before, "none is opened a second time"
        assert waits(silent)
        assert file.readline().startswith('"""')
