#!/usr/bin/env bash
# Attestation policies of two people, alice and bob; sourced after lib.sh.

# two_people: their keys, in this folder
two_people() { for who in alice bob; do another $who ML-DSA-65; done; }

# policy_of NAME VERSION: a policy that names the two, without its rules
policy_of() {
    cat <<YAML
casemate_policy: 1
name: $1
version: $2
signers:
  - {name: alice, key: "$(casemate key fingerprint alice.pub)"}
  - {name: bob, key: "$(casemate key fingerprint bob.pub)"}
YAML
}

# put_policy FILE NAME: in force at the server, signed by both
put_policy() {
    for who in alice bob; do ok casemate attest policy sign "$1" -k $who.pem -o $who.sig --force; done
    casemate attest put-policy "$2" --file "@$1" --signatures @alice.sig --signatures @bob.sig \
        --keys @alice.pub --keys @bob.pub
}
