"""Every recorded exchange comes out the same."""

import unittest

from cryptography.hazmat.primitives.serialization import Encoding

from tests import vectors


class Vectors(unittest.TestCase):
    def test_every_recorded_exchange_comes_out_the_same(self) -> None:
        cases = vectors.load()
        self.assertEqual(len(cases), 21)
        for case in cases:
            with self.subTest(case["name"]):
                exchange = vectors.begin(case)
                self.assertEqual(exchange.message_1, case["message_1"])
                accepted = exchange.receive(case["message_2"], vectors.Signatures(case))
                self.assertTrue(accepted.key.matches(case["key"]))
                self.assertEqual(accepted.message_3, case["message_3"])
                self.assertEqual(accepted.transcript, case["t2"])
                self.assertEqual(accepted.suite, vectors.suite_of(case))
                self.assertEqual(
                    accepted.server_certificate.public_bytes(Encoding.DER).hex(),
                    case["responder"]["chain"][0],
                )
                self.assertNotIn(repr(case["key"]), repr(accepted))


if __name__ == "__main__":
    unittest.main()
