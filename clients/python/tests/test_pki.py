"""Certificates, principals, batches and events against the real server."""

import secrets
import unittest
from typing import Any, Dict

import skms
from tests.test_server import Real


class Pki(Real):
    def test_a_chain_is_built_used_and_revoked(self) -> None:
        keys, authorities = self.client.keys, self.client.authorities
        keys.create("root-ca", "EC-P384")
        keys.create("issuing", "EC-P256")
        root = authorities.create("root", "root-ca", "O=Example,CN=Example Root")
        below = authorities.create("issuing", "issuing", "O=Example,CN=Issuing", parent="root")
        self.assertIn("issuing", [one.name for one in authorities.list()])
        self.assertEqual((root.chain, below.chain), ((), (root.certificate,)))
        assert root.certificate is not None and below.certificate is not None
        issued = authorities.issue(
            "issuing", "tls-server", names=["dns:www.example.org"], new_key="EC-P256"
        )
        assert issued.private_key is not None
        self.assertIn(b"PRIVATE KEY", issued.private_key.reveal())
        leaf = issued.certificate
        self.assertEqual((leaf.status, leaf.names), ("good", ("dns:www.example.org",)))
        self.assertEqual([one.serial for one in authorities.certificates("issuing")], [leaf.serial])

        def verdict(**how: Any) -> skms.Verdict:
            lists = [authorities.crl("issuing"), authorities.crl("root")]
            given: Dict[str, Any] = dict(purpose="server", crls=lists, revocation="required")
            given.update(how)
            return self.client.validate(
                leaf, [root.certificate or ""], chain=[below.certificate or ""], **given
            )

        good = verdict(names=["www.example.org"])
        self.assertTrue(good.valid, good)
        self.assertEqual(len(good.path), 3)
        self.assertEqual(verdict(names=["other.example.org"]).rule, "name")
        self.assertEqual(verdict(at="2100-01-01T00:00:00Z").rule, "expired")
        self.assertFalse(verdict(purpose="client").valid)
        self.assertEqual(verdict(crls=[]).rule, "revocation-unknown")
        authorities.revoke("issuing", leaf.serial, "certificateHold")
        self.assertEqual(authorities.certificate("issuing", leaf.serial).status, "on-hold")
        self.assertEqual(authorities.release("issuing", leaf.serial).status, "good")
        self.assertTrue(verdict().valid)
        self.assertEqual(authorities.revoke("issuing", leaf.serial, "superseded").status, "revoked")
        refused = verdict()
        self.assertEqual((refused.valid, refused.rule), (False, "revoked"))
        self.assertTrue(refused.section and refused.detail)
        self.refused("not-found", lambda: authorities.show("nobody"))
        with self.assertRaises(skms.Problem):
            authorities.crl("issuing", issuer=7)
        for bad in ("", b"-----BEGIN KEY-----\n", "-----BEGIN CERTIFICATE-----\nAAAA"):
            with self.assertRaises(ValueError):
                self.client.validate(bad, [root.certificate])
        with self.assertRaises(ValueError):
            self.client.validate(leaf, [])

    def test_a_principal_comes_and_goes(self) -> None:
        principals = self.client.principals
        made = principals.create("carol", authority="admins", groups=["root"])
        self.assertEqual(principals.show("carol"), made)
        self.assertIn(made, list(principals.list()))
        issued = self.client.authorities.issue(
            "admins", "principal", names=[principals.uri("carol")], new_key="EC-P256"
        )
        assert issued.private_key is not None
        own = self.server.folder / "carol.pem"
        text = (issued.certificate.certificate or "").encode()
        own.write_bytes(text + issued.private_key.reveal())
        with self.server.client(client_cert=own) as carol:
            self.assertEqual(len(carol.random(8)), 8)
            principals.delete("carol")
            self.refused("unauthenticated", lambda: carol.random(8))
        self.refused("not-found", lambda: principals.show("carol"))


class Batches(Real):
    def test_many_in_one_request(self) -> None:
        self.client.keys.create("many", "AES-256-GCM")
        texts = [str(number).encode() for number in range(50)]
        before = [event.sequence for event in self.client.events()][-1]
        sealed = self.client.encrypt_batch("many", texts)
        self.assertEqual(self.client.decrypt_batch("many", sealed), texts)
        acts = [event.action for event in self.client.events(after=before)]
        self.assertEqual((acts.count("key.encrypt"), acts.count("key.decrypt")), (1, 1))
        sealed[1] = sealed[1][:-8] + "AAAAAAA="
        results = self.client.batch("many", "decrypt", [{"ciphertext": one} for one in sealed])
        self.assertEqual([isinstance(one, skms.Problem) for one in results].index(True), 1)
        self.assertEqual(sum(isinstance(one, skms.Problem) for one in results), 1)
        self.refused("decryption-failed", lambda: self.client.decrypt_batch("many", sealed))

    def test_a_key_is_brought_and_taken_away(self) -> None:
        keys = self.client.keys
        drawn = secrets.token_bytes(32)
        made = keys.import_("brought", drawn, algorithm="AES-256-GCM", exportable=True)
        self.assertEqual(made.key.state, "active")
        self.assertTrue(keys.export("brought").key.matches(drawn))
        self.refused("already-exists", lambda: keys.import_("brought", drawn, algorithm="AES-256-GCM"))
        self.refused("weak-key", lambda: keys.import_("counted", bytes(range(32)), algorithm="AES-256-GCM"))
        with self.assertRaises(skms.Problem):
            keys.delete("brought")

    def test_events_say_who_did_what(self) -> None:
        seen = list(self.client.events(page=2))
        self.assertEqual([one.sequence for one in seen], sorted({one.sequence for one in seen}))
        self.refused("not-found", lambda: self.client.keys.show("nobody"))
        new = list(self.client.events(after=seen[-1].sequence))
        refused = next(one for one in new if one.action == "key.read")
        self.assertEqual((refused.outcome, refused.principal.split("/")[-1]), ("denied", "admin"))


if __name__ == "__main__":
    unittest.main()
