"""Deterministic CBOR: one form is read, every other refused."""

import unittest

from skms.exchange import cbor


class Reading(unittest.TestCase):
    def test_what_is_written_is_read(self) -> None:
        for value in (0, 23, 24, 255, 256, 65535, 65536, 2**32, 2**64 - 1, b"", b"x" * 300, "ü"):
            self.assertEqual(cbor.decode(cbor.encode(value)), value)
        whole = {1: [1, 2], 2: {3: "x"}, 300: b"y"}
        self.assertEqual(cbor.decode(cbor.encode(whole)), whole)
        # RFC 8949, appendix A.
        for text, value in (
            ("1a000f4240", 1000000),
            ("1b000000e8d4a51000", 1000000000000),
            ("4401020304", b"\1\2\3\4"),
            ("6449455446", "IETF"),
            ("8301820203820405", [1, [2, 3], [4, 5]]),
            ("a201020304", {1: 2, 3: 4}),
        ):
            self.assertEqual(cbor.decode(bytes.fromhex(text)), value)
            self.assertEqual(cbor.encode(value).hex(), text)

    def test_other_encodings_are_refused(self) -> None:
        for text in (
            "",  # nothing
            "0000",  # something after the end
            "1817",  # 23 in two bytes
            "190017",
            "1900ff",  # 255 in three
            "1a0000ffff",
            "1b00000000ffffffff",
            "5803414243",  # a length longer than need be
            "4241",  # ends early
            "8201",
            "9bffffffffffffffff",  # an array of more than there is
            "9f01ff",  # indefinite
            "5f4101ff",
            "bf0102ff",
            "a203040102",  # keys out of order
            "a201020103",  # a key twice
            "a1616101",  # a key that is text
            "f4",  # simple values
            "f6",
            "f7",
            "f90000",  # floats
            "fb3ff0000000000000",
            "20",  # negative
            "c100",  # a tag
            "61ff",  # not UTF-8
            "6100",  # control characters
            "617f",
            "1c",
            "81" * 20 + "00",  # too deep
        ):
            with self.subTest(text), self.assertRaises(cbor.Malformed):
                cbor.decode(bytes.fromhex(text))

    def test_headers_and_the_outermost_tag_are_told_apart(self) -> None:
        self.assertEqual(cbor.decode(b"\x26", header=True), -7)
        self.assertEqual(cbor.decode(b"\xd2\x00", tag=True), cbor.Tagged(18, 0))
        with self.assertRaises(cbor.Malformed):
            cbor.decode(b"\x81\xd2\x00", tag=True)


if __name__ == "__main__":
    unittest.main()
