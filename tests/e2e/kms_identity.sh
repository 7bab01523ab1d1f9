#!/usr/bin/env bash
# Who asks, over the network, by what others made: tokens of an issuer that signs with OpenSSL, and
# client certificates of OpenSSL's making; and everything about them that must be refused.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"

curl=$CASEMATE_CLIENTS/curl ssl=$CASEMATE_OPENSSL
[ -x "$curl" ] && "$ssl" version 2>/dev/null | has 'OpenSSL 3\.[5-9]' || {
    echo 'SKIP: no curl with ML-KEM, or no openssl of 3.5 or later'
    exit 77
}
dir=$WORK/kms
port=
own_port port
casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" >>"$WORK/log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true; wait 2>/dev/null || true' EXIT
for _ in $(seq 3000); do
    [[ $("$curl" -s --max-time 60 --unix-socket "$dir/admin.sock" http://localhost/readyz) != *'"ready":true'* ]] || break
    kill -0 "$server" || die "not ready: $(tail -5 "$WORK/log")"
    sleep 0.1
done
export CASEMATE_SERVER=$dir/admin.json
ok casemate key create box --type AES-256
url=https://127.0.0.1:$port/v1/tenants/default/keys/box
ask() { "$curl" -s --max-time 300 --cacert "$dir/ca.crt" "$@" "$url"; }

# ---- tokens: the keys are pinned, the signatures OpenSSL's
for alg in ed25519 ML-DSA-65; do
    "$ssl" genpkey -algorithm $alg -out "$alg.pem"
    "$ssl" pkey -in "$alg.pem" -pubout -outform DER -out "$alg.der"
done
cat >issuer.py <<'PY'
import base64, json, subprocess, sys, time
ssl, now = sys.argv[1], int(time.time())
def b64(b): return base64.urlsafe_b64encode(b).rstrip(b"=").decode()
def token(alg, kid, key, **claims):
    c = {"iss": "https://issuer.example", "aud": "casemate", "sub": "carol", "iat": now, "exp": now + 600}
    c.update(claims)
    c = {k: v for k, v in c.items() if v is not None}
    text = b64(json.dumps({"alg": alg, "kid": kid}).encode()) + "." + b64(json.dumps(c).encode())
    if key is None:
        return text + "."
    open("text", "w").write(text)
    subprocess.run([ssl, "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", "text", "-out", "sig"], check=True)
    return text + "." + b64(open("sig", "rb").read())
ed, pq = open("ed25519.der", "rb").read()[-32:], open("ML-DSA-65.der", "rb").read()[-1952:]
json.dump({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(ed)},
                    {"kty": "AKP", "alg": "ML-DSA-65", "kid": "pq", "pub": b64(pq)}]}, open("jwks", "w"))
good = token("ML-DSA-65", "pq", "ML-DSA-65.pem")
head, claims, sig = good.split(".")
made = {
    "good-ed": token("EdDSA", "ed", "ed25519.pem"),
    "good-pq": good,
    "bad-audience": token("ML-DSA-65", "pq", "ML-DSA-65.pem", aud="another"),
    "bad-issuer": token("ML-DSA-65", "pq", "ML-DSA-65.pem", iss="https://elsewhere.example"),
    "bad-over": token("ML-DSA-65", "pq", "ML-DSA-65.pem", iat=now - 7200, exp=now - 3600),
    "bad-early": token("ML-DSA-65", "pq", "ML-DSA-65.pem", nbf=now + 3600),
    "bad-endless": token("ML-DSA-65", "pq", "ML-DSA-65.pem", exp=None),
    "bad-subject": token("ML-DSA-65", "pq", "ML-DSA-65.pem", sub="dave"),
    "bad-key": token("EdDSA", "pq", "ed25519.pem"),
    "bad-none": token("none", "pq", None),
    "bad-claims": head + "." + b64(json.dumps({"iss": "https://issuer.example", "aud": "casemate", "sub": "carol",
                                               "iat": now, "exp": now + 9999}).encode()) + "." + sig,
    "bad-cut": good[:-8],
}
for name, text in made.items():
    open(name + ".jwt", "w").write("authorization: Bearer " + text)
PY
python3 issuer.py "$ssl"
ok casemate principal put-issuer --issuer https://issuer.example --audience casemate --jwks "$(cat jwks)"
ok casemate principal create --principal carol \
    --credentials '{"kind":"oidc","issuer":"https://issuer.example","subject":"carol"}'
expect 0 'SVC_DENIED' ask -H @good-pq.jwt
ok casemate policy put carol --principals carol --actions read
for f in good-*.jwt; do
    expect 0 '"key":"box"' ask -H @"$f"
done
for f in bad-*.jwt; do
    [ "$(ask -o body -w '%{http_code}' -H @"$f")" = 401 ] || die "$f was not refused: $(cat body)"
done

# ---- client certificates: the connection, and who it is
certify() { # NAME USE AUTHORITY OPTION...
    local name=$1 use=$2 ca=$3
    "$ssl" genpkey -algorithm ML-DSA-65 -out "$name.pem"
    "$ssl" req -new -key "$name.pem" -subj "/CN=$name" -out "$name.csr"
    printf 'extendedKeyUsage=%s\nkeyUsage=critical,digitalSignature\n' "$use" >ext
    "$ssl" x509 -req -in "$name.csr" -CA "$ca.crt" -CAkey "$ca.pem" -extfile ext -out "$name.crt" "${@:4}" 2>/dev/null
}
cp "$dir/ca-mldsa.crt" ours.crt
cp "$dir/ca.pem" ours.pem
"$ssl" req -x509 -newkey ML-DSA-65 -nodes -subj /CN=others -keyout others.pem -out others.crt 2>/dev/null
certify app clientAuth ours
certify stranger clientAuth others
certify over clientAuth ours -not_before 20250101000000Z -not_after 20250201000000Z
certify web serverAuth ours
certify unknown clientAuth ours
with() { ask --cert "$1.crt" --key "$1.pem" "${@:2}"; }
spki=$("$ssl" pkey -in app.pem -pubout -outform DER | "$ssl" dgst -sha256 -binary | base64)
ok casemate principal create --principal app --credentials "{\"kind\":\"certificate\",\"spki_sha256\":\"$spki\"}"
expect 0 'SVC_DENIED' with app
ok casemate policy put app --principals app --actions read
expect 0 '"key":"box"' with app
expect 0 '"key":"box"' with app --http1.1
expect 0 'SVC_UNAUTHENTIC' with unknown # a good certificate of nobody's
for name in stranger over web; do
    rc=0
    with $name >body || rc=$?
    # What curl says depends on what it was doing when the server hung up.
    [[ "$rc" =~ ^(16|35|52|55|56|92)$ ]] && [ ! -s body ] || die "a connection with $name's certificate: $rc, $(cat body)"
done
expect 0 'SVC_UNAUTHENTIC' ask # without any
ok casemate policy delete app
expect 0 'SVC_DENIED' with app
kill -TERM "$server"
wait "$server" || die "it failed at its end: $(tail -3 "$WORK/log")"
echo ok
