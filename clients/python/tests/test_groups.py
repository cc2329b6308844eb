"""Keys shared by groups, against the real server."""

import unittest

import skms
from tests.test_server import Real


class Groups(Real):
    def test_a_member_fetches_until_it_is_removed(self) -> None:
        keys, groups = self.client.keys, self.client.groups
        keys.create("shared", "AES-256-GCM", exportable=True)
        self.client.principals.create("member", authority="admins")
        issued = self.client.authorities.issue(
            "admins",
            "principal",
            names=[self.client.principals.uri("member")],
            new_key="EC-P256",
        )
        assert issued.private_key is not None
        path = self.server.folder / "member.pem"
        path.write_bytes(issued.certificate.certificate.encode() + issued.private_key.reveal())
        made = groups.create("circle", "shared", ["member", ("root", "admin")])
        self.assertEqual((made.members, made.latest_version), (2, 1))
        with self.server.client(client_cert=path) as client:
            first = client.exchange.fetch("shared")
            changed = groups.remove("circle", "member")
            self.assertEqual(
                (changed.members, changed.latest_version, changed.rekey_due), (1, 2, False)
            )
            for version in (None, 1, 2):
                self.refused(
                    "not-found", lambda: client.exchange.fetch("shared", version=version)
                )
        second = self.client.exchange.fetch("shared")
        self.assertEqual(second.version, 2)
        self.assertFalse(first.key.matches(second.key.reveal()))
        held = sorted((one.name, one.version, one.standing) for one in groups.holders("circle"))
        self.assertEqual(held, [("admin", 2, "member"), ("member", 1, "removed")])
        self.assertEqual(
            sorted(one.certificate for one in groups.holders_of_key("shared")),
            sorted(one.certificate for one in groups.holders("circle")),
        )
        late = groups.add("circle", "member", history=True)
        self.assertEqual(late.members, 2)
        missing = [one.name for one in groups.members("circle") if not one.fetched_latest_at]
        self.assertEqual(missing, ["member"])
        self.refused("invalid-argument", lambda: groups.add("circle", "nobody"))
        self.assertTrue(groups.remove("circle", "member", rekey=False).rekey_due)
        self.assertFalse(groups.rekey("circle").rekey_due)
        self.assertIn(groups.show("circle"), list(groups.list()))
        groups.delete("circle")
        self.refused("not-found", lambda: groups.show("circle"))
        with self.assertRaises(ValueError):
            groups.show("..")


if __name__ == "__main__":
    unittest.main()
