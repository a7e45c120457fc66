"""`molscore serve` as a process: on this machine alone, deaf to noise, and gone when told."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner

from molscore.cli import main
from tests.house.sources import ROOT

NOISE = (
    b"\x00" * 2000,
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /generate HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    b"\x16\x03\x01",
)


def test_a_server_serves_and_stops_when_it_is_told(folder) -> None:
    command = [sys.executable, "-m", "molscore", "serve", "--port", "0", "--workers", "1", "--model", str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            line = process.stderr.readline()
            host, port = re.search(r"tiny on http://([\d.]+):(\d+)", line).groups()
            assert host == "127.0.0.1"
            url = f"http://{host}:{port}"
            assert json.load(urllib.request.urlopen(f"{url}/health", timeout=60))["status"] == "ok"
            for noise in NOISE:
                with socket.create_connection((host, int(port)), timeout=60) as connection:
                    connection.sendall(noise)
                    connection.shutdown(socket.SHUT_WR)
                    answer = connection.recv(1000)
                    assert b"Traceback" not in answer and (not answer or b" 4" in answer.split(b"\r\n")[0])
            body, kind = b'{"molecules": ["CCO", "C1CC"]}', {"Content-Type": "application/json"}
            request = urllib.request.Request(f"{url}/log-likelihood", body, kind)
            rows = json.load(urllib.request.urlopen(request, timeout=60))["rows"]
            assert [row["status"] for row in rows] == ["ok", "unparsable"]
            request = urllib.request.Request(f"{url}/log-likelihood", body, kind | {"Host": "evil.example"})
            with pytest.raises(urllib.error.HTTPError, match="400"):
                urllib.request.urlopen(request, timeout=60)
            process.send_signal(signal.SIGTERM)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, stderr
    assert (stdout, stderr.strip().splitlines()[-1]) == ("", "stopped")
    assert "Traceback" not in stderr


def test_what_cannot_be_served_fails_with_one_line(folder, tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        cases = (["--port", port], ["--host", "256.1.1.1"], ["--rows", "0"], ["--seconds", "-1"], ["--resolution", "0"])
        for options in cases:
            done = CliRunner().invoke(main, ["serve", "--model", str(folder), "--port", "0", *options])
            assert done.exit_code == 2, options
            assert done.stderr.count("\n") == 1 and done.stderr.startswith("molscore: error: ")
    assert CliRunner().invoke(main, ["serve", "--model", str(tmp_path)]).exit_code == 2


def test_without_the_extra_the_error_names_it(folder, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "molscore.integrations.server.app", raising=False)
    done = CliRunner().invoke(main, ["serve", "--model", str(folder)])
    assert done.exit_code == 2 and "molscore-discoformer[serve]" in done.stderr
