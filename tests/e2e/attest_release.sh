#!/usr/bin/env bash
# attest challenge, release, receive, token: a key goes to the machine that the policy accepts, once,
# and to nobody else. The machine is make-quote, with the keys of a TPM of its own.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
quote=$CASEMATE_MAKE_QUOTE
for who in guest thief; do another $who ML-KEM-768; done
for who in authority stranger; do another $who ML-DSA-65; done
for who in guest thief; do sed '/-----/d' $who.pub | base64 -d | tail -c 1184 >$who.raw; done
"$quote" policy 5 7 fleet 3 >fleet.yaml
printf 'the key of a model' >secret
S=(--state open --policy fleet.yaml)
REQUEST='{"version":"0.4.0","tee":"tpm","extra-params":""}'
echo "$REQUEST" >request.json

# challenge: a fresh one into challenge.json, and its nonce into $nonce.
challenge() {
    ok casemate attest challenge --state open --request request.json -o challenge.json --force "$@"
    nonce=$(casemate attest challenge --state open --kind tpm --json | sed 's/.*"nonce":"\([0-9a-f]*\)".*/\1/')
}

# The machine that the policy names gets it, and can read it; nobody else can.
challenge
"$quote" rcar 5 7 1 guest.raw <challenge.json >a.json
R=(casemate attest release a.json "${S[@]}" --secret secret -o response.json)
expect 0 'accepts the TPM 2.0 quote of "image 7"' "${R[@]}" --token result.jwt --signer authority.pem \
    --issuer https://kms.example
ok casemate attest receive response.json -k guest.pem -o got
same got secret
expect 3 'CRYPT_TAG' casemate attest receive response.json -k thief.pem -o stolen
absent stolen

# The same evidence again: the challenge is used up. So is one that was refused.
expect 3 'RELEASE_CHALLENGE' "${R[@]}" --force
challenge
"$quote" rcar 5 8 1 guest.raw <challenge.json >a.json
expect 3 'the check measurement failed' "${R[@]}" --force
"$quote" rcar 5 7 1 guest.raw <challenge.json >a.json
expect 3 'RELEASE_CHALLENGE' "${R[@]}" --force
# Two authorities at once: one of them gets the challenge.
challenge
"$quote" rcar 5 7 1 guest.raw <challenge.json >a.json
for i in 1 2 3 4; do
    casemate attest release a.json "${S[@]}" --secret secret -o "twin.$i" >"twin.$i.said" 2>&1 &
done
wait
[ "$(find . -maxdepth 1 -name 'twin.?' | wc -l)" = 1 ] || die "a challenge was used twice"

# Another TPM; another key than the one that was attested; a nonce of one's own; too late.
challenge
"$quote" rcar 6 7 1 guest.raw <challenge.json >a.json
expect 3 'the check chain failed' "${R[@]}" --force
challenge
"$quote" rcar 5 7 1 guest.raw <challenge.json >a.json
k=$(base64 -w0 guest.raw | tr '+/' '-_' | tr -d =) t=$(base64 -w0 thief.raw | tr '+/' '-_' | tr -d =)
sed -i "s|$k|$t|" a.json
expect 3 'the check fresh failed' "${R[@]}" --force
challenge
sed 's/"nonce":"....../"nonce":"AAAAAA/' challenge.json >own.json
"$quote" rcar 5 7 1 guest.raw <own.json >a.json
expect 3 'RELEASE_CHALLENGE' "${R[@]}" --force
challenge --ttl 10
"$quote" rcar 5 7 1 guest.raw <challenge.json >a.json
expect 3 'the challenge is over' "${R[@]}" --force --at "$(($(date +%s) + 100))"
# A classical key is refused by name.
challenge
"$quote" rcar 5 7 1 guest.raw <challenge.json |
    sed 's/"tee-pubkey":{[^}]*}/"tee-pubkey":{"kty":"RSA","alg":"RSA-OAEP-256","n":"AQAB","e":"AQAB"}/' >a.json
expect 5 'RELEASE_CLASSICAL' "${R[@]}" --force

# Evidence by itself, bound to the key and a manifest.
M=$(printf '4d%.0s' {1..32})
challenge
"$quote" bound 5 7 "$nonce" guest.raw "$M" >e.pack
P=(casemate attest release e.pack "${S[@]}" --secret secret -o response.json --force --nonce)
expect 3 'the check fresh failed' "${P[@]}" "$nonce" --holder guest.pub
challenge
"$quote" bound 5 7 "$nonce" guest.raw "$M" >e.pack
expect 0 'accepts' "${P[@]}" "$nonce" --holder guest.pub --manifest "$M" --token bound.cwt \
    --signer authority.pem --issuer https://kms.example --form cwt --token-ttl 300
ok casemate attest receive response.json -k guest.pem -o got --force
same got secret

# Tokens: what they say, and what they are keyed to.
expect 0 'NOTHING of this is verified' casemate attest token show result.jwt
casemate attest token show result.jwt --json >seen
json seen 'all(x["verified"] is False and x["policy"] == "fleet" and x["tier"] == 2 for x in e)'
boot=$(sed 's/.*"boot":"\([0-9a-f]*\)".*/\1/' seen)
V=(casemate attest token verify --policy fleet.yaml --signer authority.pub --issuer https://kms.example)
now=$(sed 's/.*"issued":\([0-9]*\).*/\1/' seen)
W=("${V[@]}" result.jwt --holder guest.pub)
expect 0 'verified' "${W[@]}" --boot "$boot"
expect 0 'verified' "${W[@]}" --boot "$boot" --at $((now + 599))
expect 3 'attest again: expired' "${W[@]}" --boot "$boot" --at $((now + 600))
expect 3 'attest again: restart' "${W[@]}" --boot "$M"
expect 3 'attest again: reconnect' "${V[@]}" result.jwt --holder thief.pub --boot "$boot"
expect 3 'attest again: model change' "${W[@]}" --boot "$boot" --manifest "$M"
sed 's/version: 3/version: 4/' fleet.yaml >next.yaml
expect 3 'attest again: policy change' "${W[@]/fleet.yaml/next.yaml}" --boot "$boot"
expect 3 'TOKEN_KEY' "${W[@]/authority.pub/stranger.pub}" --boot "$boot"
expect 3 'TOKEN_ISSUER' "${W[@]/kms.example/kms.example.org}" --boot "$boot"
casemate attest token show bound.cwt --json >seen
json seen 'all(x["form"] == "cwt" and x["manifest"] == "'"$M"'" for x in e)'
boot=$(sed 's/.*"boot":"\([0-9a-f]*\)".*/\1/' seen)
expect 0 'verified' "${V[@]}" bound.cwt --holder guest.pub --manifest "$M" --boot "$boot"
expect 3 'model change' "${V[@]}" bound.cwt --holder guest.pub --boot "$boot"
challenge
"$quote" rcar 5 7 2 guest.raw <challenge.json >a.json
expect 0 'accepts' casemate attest token issue a.json "${S[@]}" --signer authority.pem \
    --issuer https://kms.example -o later.jwt
expect 3 'attest again: restart' "${V[@]}" later.jwt --holder guest.pub --boot "$boot"
expect 2 'is needed' casemate attest token verify later.jwt --policy fleet.yaml
expect 2 'CLI_USAGE' casemate attest token eat later.jwt
