"""The examples of README.md run, from top to bottom."""

import contextlib
import io
import os
import re
import unittest
from pathlib import Path

from tests.server import Server

README = Path(__file__).resolve().parent.parent / "README.md"


class Readme(unittest.TestCase):
    def test_the_examples_run(self) -> None:
        server = Server()
        self.addCleanup(server.close)
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(server.folder)
        text = README.read_text(encoding="utf-8")
        examples = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        self.assertEqual(len(examples), 7)
        code = "\n".join(examples)
        self.assertEqual(code.count("https://127.0.0.1:8200"), 1)
        code = code.replace("https://127.0.0.1:8200", server.address)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, str(README), "exec"), {"__name__": "example"})
        self.assertIn("orders", said.getvalue())
        self.assertIn("urn:skms:problem:not-found", said.getvalue())


if __name__ == "__main__":
    unittest.main()
