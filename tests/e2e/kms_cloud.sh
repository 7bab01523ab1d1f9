#!/usr/bin/env bash
# A key server whose root is under a key of a cloud's key service, against an emulator of its
# documented API (cloud_emulator.py): alone, then beside a token, each of which opens it.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
openssl=$CASEMATE_OPENSSL
[ -x "$openssl" ] || openssl=$(command -v openssl)
"$openssl" version | has -E 'OpenSSL (3\.[5-9]|[4-9])' || {
    echo 'SKIP: no openssl with ML-DSA'
    exit 77
}
# shellcheck source=tests/e2e/server.sh
. "$CASEMATE_SOURCE/tests/e2e/server.sh"
: "${dir:?}" "${server?}"
export CASEMATE_OPENSSL=$openssl
emulator=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$emulator" ] || kill -9 "$emulator" 2>/dev/null || true
    wait 2>/dev/null || true' EXIT

# ---- the service, which keeps its keys in a folder
mkdir service
"$openssl" genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out sa.pem 2>/dev/null
"$openssl" pkey -in sa.pem -pubout -out service/sa.pub
: >port.txt
python3 "$CASEMATE_SOURCE/tests/e2e/cloud_emulator.py" service >port.txt 2>emulator.log &
emulator=$!
for _ in $(seq 3000); do
    [ ! -s port.txt ] || break
    kill -0 "$emulator" 2>/dev/null || break
    sleep 0.05
done
[ -s port.txt ] || die "the emulator did not start: $(cat emulator.log)"
service=http://127.0.0.1:$(head -1 port.txt)
umask 077
cat >aws.secrets <<'END'
{"access_key_id": "AKIDEMULATED", "secret_access_key": "emulated/secret+key",
 "session_token": "emulated-session-token"}
END
cat >aws.json <<END
{"provider": "aws", "endpoint": "$service", "region": "eu-central-1", "secrets": "$PWD/aws.secrets",
 "timeout_ms": 20000}
END

casemate hsm init --cloud aws.json >/dev/null 2>>p11d.log || die "no key: $(tail -3 p11d.log)"
launch --hsm-cloud aws.json
ready
absent "$dir/passphrase"
export CASEMATE_SERVER=$dir/admin.json
ok casemate key create k --type ML-DSA-65
ok casemate key sign k --data x
casemate key info k --json >info
json info 'e[0]["versions"][0]["custody"] == "hsm-wrapped"'
until_in_log() {
    for _ in $(seq 3000); do
        ! casemate audit tail --tenant system -n 50 | has 'DeviceSeen.*root.*AWS' || return 0
        sleep 0.1
    done
    die "the service is not in the log: $(casemate audit tail --tenant system -n 50)"
}
until_in_log
finish

# ---- opened by itself at the next start; not while the service is away; again when it is back
launch --hsm-cloud aws.json
ready
ok casemate key sign k --data x
finish
kill -STOP "$emulator"
launch --hsm-cloud aws.json
for _ in $(seq 3000); do
    grep -q unseal_failed "$WORK/log" && break
    sleep 0.1
done
grep -q unseal_failed "$WORK/log" || die 'opened without the service'
admin /readyz | has '"ready":true' && die 'ready without the service'
finish
kill -CONT "$emulator"
launch --hsm-cloud aws.json
ready
ok casemate key sign k --data x
finish

# ---- as one of several
sed -n '/^unseal:/q; p' "$dir/kmsd.yaml" >new.yaml
printf 'unseal: {method: hsm}\nhsm:\n  check: 500ms\n  providers:\n    - {name: aws, cloud: "%s"}\n' "$PWD/aws.json" >>new.yaml
cp new.yaml "$dir/kmsd.yaml"
expect 0 fine casemate config check "$dir/kmsd.yaml"
"$CASEMATE_KMSD" --config "$dir/kmsd.yaml" --rewrap >>"$WORK/log" 2>&1 || die "not rewrapped: $(tail -3 "$WORK/log")"
launch --hsm-cloud aws.json
ready
ok casemate key sign k --data x
serving() { admin /admin/devices | has '"name":"aws","region":"","state":"serves"'; }
for _ in $(seq 3000); do
    ! serving || break
    sleep 0.1
done
serving || die "$(admin /admin/devices)"
finish
printf '    - {name: none}\n' >>new.yaml
expect 2 'a module or a cloud' casemate config check new.yaml
echo 'ok'
