"""What an operator has for judging evidence, replaced under a running server: a certificate that its
maker revoked is refused from then on, a broken or older set leaves the one in use, lists that are
over fail, and images come and go by manifests that somebody signed. Guests' evidence is minted."""
import os
import signal
import sys
import time

import kms_faults as k
import kms_rcar as rcar
from kms_faults import WORK, Server, need

FOLDER = WORK / "collateral"
KIND = "snp-v5-turin"
SKIPS = "tcb, config, platform, chip"


def place(name, data):
    """As an operator should: written beside, renamed into its place."""
    (FOLDER / ("." + name)).write_bytes(data)
    (FOLDER / ("." + name)).rename(FOLDER / name)


def crl(at, *how):
    made, measured = rcar.mint(KIND, bytes(48), "--at", str(int(at)), *how)
    return (made / "crl.der").read_bytes(), measured


def fleet_of(server):
    """Whose measurements stand in manifests of the builder's."""
    fp = rcar.people(server, "alice", "bob", "builder")
    rcar.fleet(server, fp, f"""\
references:
  - {{name: images, signer: "{fp['builder']}", version: 1}}
evidence:
  snp: {{measurements: reference, may_skip: [{SKIPS}]}}
""")


def manifest(server, version, measurement, signer="builder"):
    """`casemate attest reference sign`, of one image."""
    (WORK / "images.yaml").write_text(f"""\
casemate_policy: 1
name: images
version: {version}
evidence:
  snp:
    measurements:
      - {{value: "{measurement}", name: image {version}, provenance: minted}}
""")
    until = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86400))
    server.casemate("attest", "reference", "sign", "images.yaml", "-k", f"{signer}.pem", "-o", "images.cbor",
                    "--until", until, "--force")
    return (WORK / "images.cbor").read_bytes()


class Fleet:
    def __init__(self, server, client):
        self.server, self.client, self.taken, self.bad = server, client, 0, 0

    def released(self):
        guest = rcar.Guest(self.client, KIND, "snp")
        got = self.client.call("GET", rcar.RESOURCE, cookie=guest.session()[0])
        guest.opens(got)

    def kept(self):
        """Genuine as far as anybody can tell, but not what the key's policy accepts."""
        guest = rcar.Guest(self.client, KIND, "snp")
        rcar.refused(self.client.call("GET", rcar.RESOURCE, cookie=guest.session()[0]), 403, "SVC_RELEASE_REFUSED")

    def refused(self, why):
        """Already as evidence."""
        rcar.refused(rcar.Guest(self.client, KIND, "snp").attest(), 401, "SVC_EVIDENCE", why)

    def loads(self, result):
        return self.server.metric(f'casemate_collateral_loads_total{{result="{result}"}}')

    def took(self):
        self.taken += 1
        k.until("the new set", lambda: self.loads("taken") >= self.taken)
        need(self.loads("taken") == self.taken, "read more than once")
        need(self.server.metric("casemate_collateral_stale") == 0, "stale")

    def again(self):
        """Nothing changed, but somebody asks."""
        self.server.process.send_signal(signal.SIGHUP)
        self.took()

    def refuses_set(self):
        self.bad += 1
        k.until("a refused set", lambda: self.loads("refused") >= self.bad)
        need(self.server.metric("casemate_collateral_stale") == 1, "not called stale")
        need("collateral_refused" in self.server.log_path.read_text(), "nothing in the log")

    def undone(self):
        """What was refused is gone: the set in use is what lies there."""
        k.until("as it was", lambda: self.server.metric("casemate_collateral_stale") == 0)


def images(fleet, server, measured, first):
    """AP-46 to AP-48: reference values by manifest, of the one whom the policy names."""
    fleet.kept()  # none is there
    place("images.cbor", manifest(server, 1, measured, "alice"))
    fleet.took()
    fleet.kept()  # somebody else's
    place("images.cbor", manifest(server, 1, measured))
    fleet.took()
    fleet.released()
    good = manifest(server, 2, "ab" * 48)
    place("images.cbor", good[:-1] + bytes([good[-1] ^ 1]))
    fleet.refuses_set()
    fleet.released()
    place("images.cbor", good)
    fleet.took()
    fleet.kept()  # the second version takes the image back
    place("images.cbor", first)
    fleet.refuses_set()
    fleet.kept()
    place("images.cbor", manifest(server, 3, measured))
    fleet.took()
    fleet.again()
    fleet.released()


def broken(fleet, good):
    """V-120: cut, strange, none at all; and XML, which no daemon reads."""
    place("crl.der", good[:-40])
    fleet.refuses_set()
    fleet.released()
    place("crl.der", good)
    fleet.took()
    place("rim.xml", b"<?xml version='1.0'?><SoftwareIdentity/>")
    fleet.refuses_set()
    fleet.released()
    (FOLDER / "rim.xml").unlink()
    fleet.undone()
    # A folder that is gone is refused once, however often it is looked for.
    FOLDER.rename(WORK / "away")
    fleet.refuses_set()
    time.sleep(1)
    need(fleet.loads("refused") == fleet.bad, "refused again and again")
    fleet.released()
    (WORK / "away").rename(FOLDER)
    fleet.undone()


def revoked(fleet, now):
    old, _ = crl(now - 2 * 86400)
    place("crl.der", old)
    fleet.refuses_set()
    fleet.released()
    listed, _ = crl(now + 60, "--defect", "revoked")
    place("crl.der", listed)
    fleet.took()
    fleet.refused("revoked")
    # An older list beside it, before it by name, gives nothing back.
    good, _ = crl(now)
    place("a-crl.der", good)
    fleet.took()
    fleet.refused("revoked")
    (FOLDER / "a-crl.der").unlink()
    fleet.took()


def over(server, fleet, now):
    """Nothing newer came for a month: at a start the old list is read, and said to be over."""
    server.stop()
    old, _ = crl(now - 40 * 86400)
    place("crl.der", old)
    server.start()
    need(server.metric("casemate_collateral_expired") == 1, "not counted as over")
    need("collateral_expired" in server.log_path.read_text(), "not said to be over")
    fleet.taken = fleet.bad = 0
    fleet.refused("not of that time")
    place("crl.der", crl(now)[0])
    fleet.took()
    need(server.metric("casemate_collateral_expired") == 0, "still counted")
    fleet.released()


def main():
    if not os.access(rcar.CURL, os.X_OK):
        print("SKIP: no curl with ML-KEM")
        sys.exit(77)
    os.environ["CASEMATE_KMSD"] = os.environ["CASEMATE_KMSD_TESTROOTS"]
    FOLDER.mkdir()
    now = time.time()
    good, measured = crl(now)
    place("crl.der", good)
    server = Server(rcar.settings(1000000).replace("attest:\n", "attest:\n  check: 100ms\n"))
    server.start()
    fleet_of(server)
    fleet = Fleet(server, rcar.Client(server))
    images(fleet, server, measured, manifest(server, 1, measured))
    broken(fleet, good)
    revoked(fleet, now)
    over(server, fleet, now)
    log = server.casemate("audit", "list", "--tenant", "system", "--count", "1000", "--json")
    need(log.count('"ReloadCollateral"') >= 8, "reloads are not in the log")
    server.stop()


if __name__ == "__main__":
    main()
