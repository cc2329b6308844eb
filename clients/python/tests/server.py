"""A throw-away server of the binary in SKMS_TEST_BINARY."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, Dict

import skms


def binary() -> str:
    """The server's program; without it there is no test to skip silently."""
    return os.environ["SKMS_TEST_BINARY"]


def environment() -> Dict[str, str]:
    """The surroundings without settings of another server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKMS_")}
    return {**kept, "SKMS_CONFIG": "/dev/null", "NO_COLOR": "1"}


class Server:
    """Set up by `skms init`, unsealed, at a port of its own, under these names too."""

    def __init__(self, *names: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        subprocess.run(
            [binary(), "init", "--data-dir", "data", "--key-file", "key", "--token-out", "root.token",
             *(word for name in names for word in ("--tls-name", name))],
            cwd=self.folder, env=environment(), check=True, capture_output=True,
        )
        self._child = subprocess.Popen(
            [binary(), "serve", "--data-dir", "data", "--unseal-key-file", "key", "--listen", "127.0.0.1:0"],
            cwd=self.folder, env={**environment(), "SKMS_TLS_NAMES": ",".join(names)},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        said = self._child.stderr
        assert said is not None
        self.address = ""
        for line in said:
            told = json.loads(line) if line.startswith("{") else {}
            if told.get("message") == "listening":
                self.address = f"https://{told['address']}"
                break
        if not self.address:
            raise RuntimeError("the server ended early")
        # The rest is read so that the server never waits for a reader.
        self._reader = threading.Thread(target=said.read, daemon=True)
        self._reader.start()

    def client(self, **other: Any) -> skms.Client:
        """The administrator, by the certificate."""
        settings: Dict[str, Any] = dict(
            ca_file=self.folder / "data/ca.pem", client_cert=self.folder / "root.pem"
        )
        return skms.Client(self.address, **{**settings, **other})

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        self._reader.join()
        if self._child.stderr is not None:
            self._child.stderr.close()
        self._folder.cleanup()
