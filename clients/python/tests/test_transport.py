"""What is sent, how often, and what errors say: against a server made of paper."""

import copy
import http.server
import json
import pickle
import threading
import traceback
import unittest
from typing import Any, Dict, List, Optional

import skms
from skms.errors import Problem, ProtocolError, TransportError

SECRET = "skms-token-0123456789"


class Paper(http.server.BaseHTTPRequestHandler):
    """Answers from a list; `None` breaks the connection."""

    protocol_version = "HTTP/1.1"
    answers: List[Any] = []
    seen: List[Dict[str, Any]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append({"path": self.path, "headers": dict(self.headers), "body": body})
        answer = self.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, headers, content = answer
        octets = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(octets))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(octets)

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        pass


class Sending(unittest.TestCase):
    def setUp(self) -> None:
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Paper)
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        Paper.seen, Paper.answers = [], []
        self.client = skms.Client(
            f"http://127.0.0.1:{self.server.server_port}", token=SECRET, namespace="team"
        )

    def tearDown(self) -> None:
        self.client.close()
        self.server.shutdown()
        self.server.server_close()

    def answers(self, *answers: Any) -> None:
        Paper.answers[:] = answers

    def problem(self, status: int = 409, kind: str = "conflict", after: Optional[str] = None) -> Any:
        body = {"type": f"urn:skms:problem:{kind}", "title": "T", "status": status, "detail": "D", "request_id": "R"}
        return (status, {} if after is None else {"Retry-After": after}, body)

    def test_headers(self) -> None:
        self.answers((200, {}, {"digest": "AAA="}))
        self.assertEqual(self.client.hash(b"x"), b"\0\0")
        headers = Paper.seen[0]["headers"]
        self.assertEqual(headers["Authorization"], f"Bearer {SECRET}")
        self.assertEqual(headers["X-SKMS-Namespace"], "team")
        self.assertNotIn("Idempotency-Key", headers)
        self.assertEqual(Paper.seen[0]["body"], b'{"data": "eA=="}')

    def test_a_create_is_sent_again_under_its_key(self) -> None:
        self.answers(None, self.problem())
        with self.assertRaises(Problem):
            self.client.keys.create("k", "AES-256-GCM")
        first, second = Paper.seen
        self.assertEqual(first["body"], second["body"])
        key = first["headers"]["Idempotency-Key"]
        self.assertEqual(second["headers"]["Idempotency-Key"], key)
        self.answers(self.problem())
        with self.assertRaises(Problem):
            self.client.keys.create("k", "AES-256-GCM")
        self.assertNotEqual(Paper.seen[2]["headers"]["Idempotency-Key"], key)

    def test_a_create_is_sent_twice_at_most(self) -> None:
        self.answers(None, None, None)
        with self.assertRaises(TransportError):
            self.client.keys.create("k")
        self.assertEqual(len(Paper.seen), 2)

    def test_what_only_reads_is_sent_again(self) -> None:
        self.answers(None, (200, {}, {"items": [], "next": None}))
        self.assertEqual(list(self.client.keys.list()), [])
        self.assertEqual(len(Paper.seen), 2)

    def test_nothing_else_is_sent_again(self) -> None:
        for call in (
            lambda: self.client.keys.rotate("k"),
            lambda: self.client.encrypt("k", b"x"),
            lambda: self.client.keys.destroy("k"),
        ):
            Paper.seen.clear()
            self.answers(None, None)
            with self.assertRaises(TransportError):
                call()
            self.assertEqual(len(Paper.seen), 1)

    def test_who_is_turned_away_comes_back_when_told(self) -> None:
        for status in (429, 503):
            self.answers(self.problem(status, "unavailable", "0"), (200, {}, {"digest": ""}))
            self.client.hash(b"x")
        self.assertEqual(len(Paper.seen), 4)
        # Not without being told, not after other problems, not for long.
        for answer in (
            self.problem(503, "sealed"),
            self.problem(409, "conflict", "0"),
            self.problem(429, "too-many-requests", "3600"),
            self.problem(503, "unavailable", "soon"),
        ):
            Paper.seen.clear()
            self.answers(answer, (200, {}, {"digest": ""}))
            with self.assertRaises(Problem):
                self.client.hash(b"x")
            self.assertEqual(len(Paper.seen), 1)

    def test_a_problem_has_its_parts(self) -> None:
        self.answers(self.problem(422, "invalid-argument"))
        with self.assertRaises(Problem) as caught:
            self.client.hash(b"x")
        one = caught.exception
        self.assertEqual(
            (one.type, one.kind, one.title, one.detail, one.status, one.request_id),
            ("urn:skms:problem:invalid-argument", "invalid-argument", "T", "D", 422, "R"),
        )

    def test_pages_follow_each_other(self) -> None:
        self.answers(
            (200, {}, {"items": [], "next": "a/b"}), (200, {}, {"items": [], "next": None})
        )
        self.assertEqual(list(self.client.keys.list(keyring="r/s")), [])
        self.assertEqual(Paper.seen[1]["path"], "/api/v1/keyrings/r%2Fs/keys?limit=100&after=a%2Fb")
        for name in ("..", ".", ""):
            with self.assertRaises(ValueError):
                self.client.keys.show(name)

    def test_no_error_shows_a_secret(self) -> None:
        planted = "cGxhbnRlZCBzZWNyZXQ"  # Base64 without its padding: no base64.
        for answer in (
            (200, {}, {"plaintext": planted}),
            (200, {}, {"plaintext": [planted]}),
            (200, {}, f'"{planted}'.encode()),
            (200, {}, [planted]),
            (200, {}, {"random": planted}),
        ):
            self.answers(answer)
            try:
                self.client.decrypt("k", "skms:v1:AAAA")
                self.fail("it was understood")
            except ProtocolError as error:
                self.hunt(error, planted)
        self.answers(None)
        with self.assertRaises(TransportError) as caught:
            self.client.encrypt("k", b"planted secret")
        self.hunt(caught.exception, "cGxhbnRlZC", "planted secret")
        for bad in (SECRET + "\nX: y", SECRET + "\u00fc", SECRET + " x"):
            with self.assertRaises(ValueError) as refused:
                skms.Client("http://127.0.0.1:1", token=bad)
            self.hunt(refused.exception)
        self.assertNotIn(SECRET, repr(self.client) + repr(self.client._transport))

    def hunt(self, error: BaseException, *secrets: str) -> None:
        seen = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        one: Optional[BaseException] = error
        while one is not None:
            seen += repr(one) + repr(one.args) + repr(one.__dict__)
            one = one.__context__
        for secret in (*secrets, SECRET):
            # The traceback shows lines of this file, where none stands whole.
            self.assertNotIn(secret, seen.replace("planted secret\")", ""))

    def test_where_one_connects_to(self) -> None:
        for address in ("https://h", "http://kms.example.org", "ftp://h", "https://h/path", "h:1"):
            with self.subTest(address), self.assertRaises(ValueError):
                skms.Client(address)


class Secrets(unittest.TestCase):
    def test_a_secret_is_shown_only_when_asked(self) -> None:
        secret = skms.Secret(b"planted")
        for text in (repr(secret), str(secret), f"{secret}", repr([secret])):
            self.assertNotIn("planted", text)
        self.assertEqual(secret.reveal(), b"planted")
        self.assertTrue(secret.matches(b"planted") and secret.matches(skms.Secret(b"planted")))
        self.assertFalse(secret.matches(b"planteD") or secret.matches(b""))
        self.assertNotEqual(secret, skms.Secret(b"planted"))
        for spread in (copy.copy, copy.deepcopy, pickle.dumps):
            with self.assertRaises(TypeError):
                spread(secret)
        with secret:
            pass
        self.assertEqual(len(secret), 0)


if __name__ == "__main__":
    unittest.main()
