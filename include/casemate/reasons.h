#ifndef CASEMATE_REASONS_H
#define CASEMATE_REASONS_H
/*
 * Every reason a call can fail for: name, class, number, what happened, how to mend it.
 * Numbers are part of the ABI: never reused, a block of 256 per module.
 */
/* clang-format off */
#define CM_REASONS(X) \
    /* base: 0x0001 */ \
    X(NO_MEMORY, EXHAUSTED, 0x0001, "out of memory", "free memory or lower the number of threads") \
    X(NO_LOCKED_MEMORY, EXHAUSTED, 0x0002, "no locked memory left for secrets", "raise the memlock limit (ulimit -l, LimitMEMLOCK=)") \
    X(TOO_BIG, LIMIT, 0x0003, "a value is larger than its limit", "") \
    X(OVERFLOW, LIMIT, 0x0004, "a size does not fit the machine's integers", "") \
    X(BAD_ARGUMENT, INVALID, 0x0005, "an argument is out of range", "") \
    X(NO_THREAD, EXHAUSTED, 0x0006, "could not start a thread", "raise the process limit (ulimit -u)") \
    X(NO_ENTROPY, INTERNAL, 0x0007, "the random generator failed", "check the system's entropy source") \
    X(CANCELLED, CONFLICT, 0x0008, "stopped on request", "") \
    X(IO_READ, IO, 0x0009, "reading failed", "check the disk or the pipe") \
    X(IO_WRITE, IO, 0x000a, "writing failed", "check the disk or the pipe") \
    X(IO_SYNC, IO, 0x000b, "flushing to disk failed", "check the disk; the file may not be durable") \
    X(IO_OPEN, IO, 0x000c, "opening failed", "check the path and its permissions") \
    X(IO_RENAME, IO, 0x000d, "moving the finished file into place failed", "check the folder's permissions") \
    X(NO_SPACE, IO, 0x000e, "the disk is full", "free space and run the same command again") \
    X(NO_FILE, NOTFOUND, 0x000f, "no such file", "check the path") \
    X(NO_PERMISSION, DENIED, 0x0010, "permission denied", "check the owner and mode of the file and its folder") \
    X(IO_PIPE_CLOSED, IO, 0x0011, "the reader closed the pipe", "") \
    X(IO_SHORT, IO, 0x0012, "the file ended early", "check that nothing else writes to it") \
    X(FILE_EXISTS, CONFLICT, 0x0013, "the output exists already", "choose another name, or --force to replace it") \
    X(FILE_BUSY, CONFLICT, 0x0014, "another process is writing this output", "wait for it, or choose another name") \
    /* codec: 0x0101 */ \
    X(HEX_MALFORMED, MALFORMED, 0x0101, "the text is not hexadecimal", "write two digits of 0-9, a-f a byte, with nothing between them") \
    X(BASE64_MALFORMED, MALFORMED, 0x0102, "the text is not strict base64", "copy it again whole: no spaces or line ends, the right alphabet and padding") \
    X(PEM_NO_BLOCK, NOTFOUND, 0x0103, "no PEM block was found", "check that a line begins with `-----BEGIN`; a DER file needs no armour") \
    X(PEM_MALFORMED, MALFORMED, 0x0104, "the PEM armour is damaged", "copy the block again, from its BEGIN to its END line, in lines of 64 without spaces") \
    X(NUMBER_MALFORMED, MALFORMED, 0x0105, "the text is not a whole number in range", "write digits only, no sign or leading zero; a size may end in K, M, G, T, P, E or KiB, MiB, ...") \
    X(CBOR_MALFORMED, MALFORMED, 0x0110, "the CBOR encoding is damaged or ends early", "fetch the data again from its source") \
    X(CBOR_NOT_CANONICAL, MALFORMED, 0x0111, "the CBOR encoding is not the deterministic one", "encode by RFC 8949 section 4.2.1: shortest heads, definite lengths, sorted keys, none twice") \
    X(CBOR_KIND, MALFORMED, 0x0112, "the CBOR holds a tag, a float or another kind of item that is not used here", "use integers, byte and text strings, arrays, maps, booleans and null; as map keys the first three") \
    X(CBOR_TOO_DEEP, MALFORMED, 0x0113, "the CBOR is nested more than 16 levels deep", "flatten the structure") \
    X(CBOR_TRAILING, MALFORMED, 0x0114, "something follows the CBOR item", "remove what stands behind it") \
    X(CBOR_TYPE, MALFORMED, 0x0115, "a CBOR item is of another type than the format says", "check which format and version the data is in") \
    X(CBOR_FIELD, MALFORMED, 0x0116, "a field of a record is unknown, missing, of another type or out of bounds", "check which format and version the data is in; a newer casemate may know it") \
    X(JSON_MALFORMED, MALFORMED, 0x0120, "the text is not JSON", "mend the text at the given place; comments and trailing commas are not JSON") \
    X(JSON_DUPLICATE, MALFORMED, 0x0121, "a JSON object has the same key twice", "remove one of them") \
    X(JSON_LIMIT, LIMIT, 0x0122, "the JSON text is longer, deeper or has more values than allowed", "send less, or raise the limit") \
    X(JSON_TYPE, MALFORMED, 0x0123, "a JSON value is of another type or range than expected", "mend the value at the given place") \
    /* crypt: 0x0201 */ \
    X(CRYPT_TAG, UNAUTHENTIC, 0x0201, "does not decrypt: wrong key or altered data", "check the key; fetch the data again from its source") \
    X(CRYPT_SIGNATURE, UNAUTHENTIC, 0x0202, "the signature does not verify", "check the signer's public key; fetch the data again from its source") \
    X(CRYPT_BAD_KEY, MALFORMED, 0x0203, "not a valid key of its kind", "check that key and algorithm belong together") \
    X(CRYPT_PROFILE, UNSUPPORTED, 0x0204, "this algorithm is not allowed in the fips profile", "use an approved algorithm, or the default profile") \
    X(CRYPT_NO_FIPS, UNSUPPORTED, 0x0205, "the OpenSSL FIPS provider could not be loaded", "install it with its fipsmodule.cnf (openssl fipsinstall), or use the default profile") \
    X(CRYPT_ALGORITHM, UNSUPPORTED, 0x0206, "unknown algorithm, or one without this operation", "use another algorithm or a newer build") \
    X(CRYPT_PROVIDER, INTERNAL, 0x0207, "the cryptographic library failed", "report it with the output of: casemate version --deps") \
    X(CRYPT_NO_PRIVATE, INVALID, 0x0208, "this key has no private part", "use the private key file") \
    X(CRYPT_CONTEXT_LONG, INVALID, 0x0209, "a signature context is longer than 255 bytes", "") \
    X(CRYPT_CONTEXT_RESERVED, INVALID, 0x020a, "this signature context is reserved", "choose another context string") \
    X(CRYPT_COST, LIMIT, 0x020b, "a password-hashing cost is out of bounds", "change memory, passes or lanes") \
    X(MERKLE_PROOF, UNAUTHENTIC, 0x0240, "a Merkle proof does not lead to the expected root", "fetch the proof and the signed root again from their source") \
    X(KEM_LENGTH, MALFORMED, 0x02c0, "a KEM ciphertext has the wrong length", "check that key and ciphertext belong together") \
    X(KEM_LOW_ORDER, MALFORMED, 0x02c1, "an X25519 share is a point of low order", "treat the sender as hostile or broken") \
    X(HPKE_SHORT, MALFORMED, 0x02c2, "an HPKE message is shorter than its key and tag", "fetch the data again from its source") \
    /* pki: 0x0301 */ \
    X(KEY_MALFORMED, MALFORMED, 0x0301, "the key is not well-formed", "check that the file is complete, or export the key again") \
    X(KEY_ALGORITHM, UNSUPPORTED, 0x0302, "the key's algorithm or encoding is not supported", "convert it with `openssl pkcs8 -topk8`, or generate another") \
    X(KEY_INCONSISTENT, MALFORMED, 0x0303, "the parts of the key contradict each other", "do not use it: export or generate the key again") \
    X(KEY_EXPANDED_ONLY, UNSUPPORTED, 0x0304, "the private key comes without its seed", "export it with the seed, or allow legacy expanded keys explicitly") \
    X(KEY_ENCRYPTED, INVALID, 0x0305, "the private key is encrypted and no passphrase was given", "give its passphrase") \
    X(KEY_PASSPHRASE, UNAUTHENTIC, 0x0306, "the passphrase does not open this key", "type it again; if it is surely right, the file is damaged: restore it from a copy") \
    X(KEY_PROTECTION, UNSUPPORTED, 0x0307, "the key is encrypted in a way that is not supported", "convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc`") \
    X(KEY_COST, LIMIT, 0x0308, "unlocking this key would take more memory or time than allowed", "if you trust where the file is from, raise the limit") \
    X(KEY_TRAILING, MALFORMED, 0x0309, "something follows the key or certificate", "remove what stands behind it") \
    X(KEY_BLOCK, UNSUPPORTED, 0x030a, "the file holds something else than one key", "keep one key in a file of its own") \
    X(KEY_MODE, DENIED, 0x030b, "others may read this unencrypted private key", "chmod 600 the file, or protect it with a passphrase") \
    X(KEY_NOT_PRIVATE, INVALID, 0x030c, "a private key is needed and this is a public one", "give the private key's file") \
    X(KEY_NO_SEED, UNSUPPORTED, 0x030d, "a key that came without its seed can't be written", "generate a new key and move over to it") \
    X(KEY_PASSPHRASE_SIZE, INVALID, 0x030e, "the passphrase is empty or longer than 1024 bytes", "choose another") \
    X(KEY_DAMAGED, UNAUTHENTIC, 0x030f, "the encrypted key was changed after it was written", "restore the file from a copy") \
    X(PKI_PROVIDER, INTERNAL, 0x0310, "the cryptographic provider refused an operation on keys or certificates", "report it with the output of `casemate version --deps`") \
    X(CERT_MALFORMED, MALFORMED, 0x0320, "the certificate or request is not well-formed", "check that the file is complete") \
    X(CERT_ALGORITHM, UNSUPPORTED, 0x0321, "this algorithm can't be used in a certificate", "use ML-DSA, SLH-DSA, Ed25519, P-256 or P-384") \
    X(CERT_REQUEST, INVALID, 0x0322, "a certificate can't be made of these names, times or role", "check common name, DNS names, addresses and that the end is after the start") \
    X(CERT_ISSUER, INVALID, 0x0323, "the issuer may not sign this certificate", "use a CA certificate with path length left, and the key that belongs to it") \
    X(CERT_OUTLIVES_ISSUER, INVALID, 0x0324, "the certificate would be valid outside its issuer's time", "shorten its validity or renew the issuer") \
    X(CERT_SIGNATURE, UNAUTHENTIC, 0x0325, "a signature on a certificate or request is wrong", "fetch it again from its source") \
    X(CERT_UNTRUSTED, UNAUTHENTIC, 0x0326, "no chain leads from the certificate to a trusted root", "add the missing intermediate, or the right root") \
    X(CERT_EXPIRED, UNAUTHENTIC, 0x0327, "a certificate of the chain is not valid at this time", "renew it, or check the clock") \
    X(CERT_PURPOSE, UNAUTHENTIC, 0x0328, "the certificate is not meant for this use", "use one issued for it") \
    X(CERT_NAME, UNAUTHENTIC, 0x0329, "the certificate is for another name", "connect to a name that it carries, or have it issued for this one") \
    X(CERT_CLASSICAL, DENIED, 0x032a, "the chain depends on a classical algorithm", "issue it anew with ML-DSA or SLH-DSA, or allow classical certificates") \
    /* envelope: 0x0401 */ \
    X(ENVELOPE_MALFORMED, MALFORMED, 0x0401, "the list of recipients is damaged", "fetch the file again") \
    X(ENVELOPE_NO_RECIPIENT, INVALID, 0x0402, "there is no recipient", "name at least one public key (--to) or a passphrase") \
    X(ENVELOPE_TOO_MANY, LIMIT, 0x0403, "more than 1024 recipients", "seal to a key of a key service and let it decide who may open") \
    X(ENVELOPE_MIXED, DENIED, 0x0404, "classical and post-quantum recipients don't go together", "give every recipient an X-Wing or ML-KEM key: casemate key new --type x-wing") \
    X(ENVELOPE_CLASSICAL, DENIED, 0x0405, "a recipient's key falls to a quantum computer", "use an X-Wing or ML-KEM key, or say --allow-classical") \
    X(ENVELOPE_LEVEL, DENIED, 0x0406, "a recipient's key is weaker than the tier demands", "tiers 0-2 take X-Wing, ML-KEM-768 or -1024; tiers 3 and 4 take ML-KEM-1024") \
    X(ENVELOPE_PASSPHRASE, DENIED, 0x0407, "this tier does not allow a passphrase", "use ML-KEM-1024 keys for tiers 3 and 4") \
    X(ENVELOPE_NOT_FOR_US, DENIED, 0x0408, "none of your keys is among the recipients", "give the right key (--identity), or ask a recipient to add yours: casemate rewrap --add") \
    X(ENVELOPE_COMMITMENT, UNAUTHENTIC, 0x0409, "the recipients were tampered with", "do not use this file; fetch it from its publisher again") \
    X(ENVELOPE_COST, LIMIT, 0x040a, "the passphrase cost is outside the accepted range", "the file may be hostile; casemate takes 8 MiB to 1 GiB, 1 to 16 passes and lanes") \
    X(ENVELOPE_WRONG_PASSPHRASE, UNAUTHENTIC, 0x040b, "wrong passphrase", "try again") \
    X(ENVELOPE_EMPTY_PASSPHRASE, INVALID, 0x040c, "the passphrase is empty", "give a longer one") \
    /* sealed: 0x0501 */ \
    X(FLOE_PARAMS, UNSUPPORTED, 0x0501, "the encrypted part has other parameters than its header", "fetch the file again") \
    X(FLOE_MISMATCH, UNAUTHENTIC, 0x0502, "the encrypted part does not belong to this key and header", "do not use this file; fetch it from its publisher again") \
    X(FLOE_SEGMENT, UNAUTHENTIC, 0x0503, "a piece was altered, cut off or moved", "fetch the file again; casemate verify tells what else is wrong with it") \
    X(SEALED_NOT, MALFORMED, 0x0504, "this is not a sealed model", "check the path; casemate seal makes one") \
    X(SEALED_VERSION, UNSUPPORTED, 0x0505, "made by a newer casemate", "update casemate") \
    X(SEALED_HEADER, MALFORMED, 0x0506, "the header is damaged", "fetch the file again") \
    X(SEALED_SUITE, UNSUPPORTED, 0x0507, "the header names a suite, tier or size unknown here", "update casemate") \
    X(SEALED_SLOTS, MALFORMED, 0x0508, "the list of recipients is damaged", "fetch the file again") \
    X(SEALED_FOOTER, MALFORMED, 0x0509, "the file is cut off or something was appended to it", "fetch it again; its end is missing or wrong") \
    X(SEALED_MANIFEST, MALFORMED, 0x050a, "the manifest is damaged or of another container", "fetch the file again") \
    X(SEALED_SIGNATURES, MALFORMED, 0x050b, "the signature block is damaged", "fetch the file again") \
    X(SEALED_UNSIGNED, DENIED, 0x050c, "nobody signed this model", "get a signed one, or say --unsigned to trust whoever gave you the file") \
    X(SEALED_UNTRUSTED, DENIED, 0x050d, "signed, but by nobody you trust", "give the publisher's public key (--from), or say --any-publisher") \
    X(SEALED_SIGNATURE, UNAUTHENTIC, 0x050e, "a publisher's signature does not verify", "do not use this file; fetch it from its publisher again") \
    X(SEALED_WEAK_SIGNATURE, DENIED, 0x050f, "the signature is weaker than the tier demands", "tiers 0-2 need ML-DSA-65, tiers 3 and 4 ML-DSA-87") \
    X(SEALED_NO_SIGNER, INVALID, 0x0510, "no key to sign with", "give one (--sign), or say --unsigned") \
    X(SEALED_DIGEST, UNAUTHENTIC, 0x0511, "the content is not what the publisher signed", "do not use this file: a recipient may have altered it; fetch it from its publisher") \
    X(SEALED_TREE, UNAUTHENTIC, 0x0512, "the tree of hashes does not fit the signed digest", "fetch the file again") \
    X(SEALED_CHANGED, CONFLICT, 0x0513, "the model changed while it was being sealed", "stop what writes to it and seal again") \
    X(SEALED_KIND, INVALID, 0x0514, "neither a regular file nor a folder", "give a file, a folder, or - for a stream") \
    X(SEALED_NOT_DIRECTORY, INVALID, 0x0515, "this container holds one file, not a folder", "") \
    X(SEALED_NEEDS_FILE, INVALID, 0x0516, "this needs a regular file, not a pipe", "save the container to a file first, or say --stream-unverified") \
    X(SEALED_JOURNAL, CONFLICT, 0x0517, "an interrupted run left a journal that does not fit", "remove the .part files, or say --no-resume") \
    X(SEALED_LOCKED, INVALID, 0x0518, "the container is not unlocked", "") \
    X(SEALED_NAME, INVALID, 0x0519, "a name, version or note is empty, too long or not UTF-8", "names take 1 to 256 bytes, versions 1 to 128") \
    X(SEALED_TOO_LARGE, LIMIT, 0x051a, "larger than a container can be", "") \
    /* wire: 0x0901; authentication from 0x0940, TLS from 0x0980 */ \
    X(SIGN_ABSENT, UNAUTHENTIC, 0x0940, "the request is not signed", "sign it (RFC 9421), or use a session") \
    X(SIGN_MALFORMED, UNAUTHENTIC, 0x0941, "the signature's headers are not of the strict form", "send one signature with canonical Signature-Input and Signature (spec/wire-auth.md)") \
    X(SIGN_ALGORITHM, UNAUTHENTIC, 0x0942, "the signature's or digest's algorithm is not accepted here", "use ml-dsa-44, ml-dsa-65, ml-dsa-87 or ed25519, and sha-256 or sha-512") \
    X(SIGN_COVERAGE, UNAUTHENTIC, 0x0943, "the signature does not cover all that it must", "cover @method, @authority, @path, @query and content-digest, with created, nonce, keyid and alg") \
    X(SIGN_WINDOW, UNAUTHENTIC, 0x0944, "the signature is too old or from the future", "check the clocks on both sides; at most 300 seconds are allowed") \
    X(SIGN_INVALID, UNAUTHENTIC, 0x0945, "the request's signature does not verify", "check key, key id, and that nothing changes the request on its way") \
    X(SIGN_DIGEST, UNAUTHENTIC, 0x0946, "the body is not the one that was signed", "compute Content-Digest over the body as it is sent") \
    X(SESSION_CHANNEL, UNAUTHENTIC, 0x0950, "the session was asked for on another connection", "open it anew on this connection; nothing between may end TLS") \
    X(SESSION_REPLAY, UNAUTHENTIC, 0x0951, "the session's counter was used before or is too old", "count requests up from 1 on each session") \
    X(JWKS_MALFORMED, MALFORMED, 0x0960, "the set of token keys is damaged", "fetch it again from the issuer; every kid must occur once") \
    X(JWKS_LIMIT, LIMIT, 0x0961, "the set of token keys is too large", "at most 64 keys and 256 KiB") \
    X(JWT_MALFORMED, UNAUTHENTIC, 0x0962, "the token is not a compact JWS of the strict form", "get a new one from its issuer") \
    X(JWT_ALGORITHM, UNAUTHENTIC, 0x0963, "the token's algorithm is not that of its key", "use ES256, ES384, EdDSA, RS256, PS256 or ML-DSA as the issuer's key says") \
    X(JWT_KEY, UNAUTHENTIC, 0x0964, "the token names a key that its issuer does not have", "get a new token; if the issuer has new keys, reload its key set") \
    X(JWT_SIGNATURE, UNAUTHENTIC, 0x0965, "the token's signature does not verify", "get a new one from its issuer") \
    X(JWT_ISSUER, UNAUTHENTIC, 0x0966, "the token is from another issuer", "use one from the issuer that is configured") \
    X(JWT_AUDIENCE, UNAUTHENTIC, 0x0967, "the token is meant for another audience", "ask the issuer for a token for this service") \
    X(JWT_TIME, UNAUTHENTIC, 0x0968, "the token is expired, not yet valid or too long-lived", "get a new one; check the clocks") \
    X(APIKEY_MALFORMED, UNAUTHENTIC, 0x0970, "the API key has a typing error", "copy it again, all 53 characters from cmk_ on") \
    X(APIKEY_WRONG, UNAUTHENTIC, 0x0971, "the API key is not a valid one", "use another, or have one issued") \
    X(TLS_NO_PQ_GROUP, DENIED, 0x0980, "the other side offers no post-quantum key exchange", "update it (OpenSSL 3.5, Go 1.24, a current browser), or put `casemate proxy` in front of it") \
    X(TLS_VERSION, DENIED, 0x0981, "the other side does not speak TLS 1.3", "update it, or put `casemate proxy` in front of it") \
    X(TLS_ALPN, DENIED, 0x0982, "no application protocol in common", "speak HTTP/2 or HTTP/1.1") \
    X(TLS_NOT_TLS, MALFORMED, 0x0983, "the other side does not speak TLS", "check the port, and that the URL begins with https") \
    X(TLS_CLOSED, IO, 0x0984, "the connection was closed without notice", "try again; see the other side's log") \
    X(TLS_PEER_ALERT, DENIED, 0x0985, "the other side refused the TLS connection", "see its log; `casemate doctor URL` looks for the reason") \
    X(TLS_NO_CERT, UNAUTHENTIC, 0x0986, "the other side sent no certificate", "give the client a certificate") \
    X(TLS_HANDSHAKE, UNAUTHENTIC, 0x0987, "the TLS handshake failed", "something between may alter it; `casemate doctor URL` looks for the reason") \
    X(TLS_IDENTITY, INVALID, 0x0988, "certificate and private key can't be used for TLS", "give a certificate with its own private key: ML-DSA, Ed25519, P-256 or P-384") \
    X(TLS_OPTIONS, INVALID, 0x0989, "these TLS settings don't go together", "") \
    X(TLS_PROVIDER, INTERNAL, 0x098a, "the TLS library failed", "report it with the output of: casemate version --deps") \
    X(TLS_NO_SIGNATURE, DENIED, 0x098b, "the other side can't verify the algorithm of our certificate", "update it, or give the server a classical certificate besides") \
    X(TLS_CERT_WANTED, DENIED, 0x098c, "the other side demands a client certificate", "give one (--cert, --cert-key)") \
    X(TLS_CERT_REFUSED, DENIED, 0x098d, "the other side does not accept our certificate", "use one from an authority that it trusts, and check that it is not expired") \
    X(TLS_NO_TICKET, NOTFOUND, 0x098e, "the server has given no ticket to resume with", "") \
    /* run: 0x0a01 */ \
    X(RUN_LOOP, INTERNAL, 0x0a01, "the event loop failed", "raise the limit of open files (ulimit -n, LimitNOFILE=)") \
    X(RUN_ADDRESS, INVALID, 0x0a02, "not an address to listen on", "write 127.0.0.1:8443, [::]:8443 or unix:/path") \
    X(RUN_LISTEN, IO, 0x0a03, "the system does not let us listen there", "see whether another program has the port, and whether this user may") \
    X(RUN_ADDRESS_BUSY, EXHAUSTED, 0x0a04, "too many connections from one address", "close some, or raise limits.address_connections") \
    X(RUN_ADDRESS_RATE, EXHAUSTED, 0x0a05, "too many new connections from one address", "keep connections open and reuse them, or raise limits.address_rate") \
    X(RUN_GATE_FULL, EXHAUSTED, 0x0a06, "connections from more addresses than are remembered", "raise limits.addresses") \
    X(RUN_SLOW, LIMIT, 0x0a07, "the handshake or the request took too long", "send faster") \
    X(RUN_UNREAD, LIMIT, 0x0a08, "the peer does not read its answers", "") \
    X(RUN_IDLE, LIMIT, 0x0a09, "the connection was idle", "connect again") \
    X(RUN_PEER_GONE, IO, 0x0a0a, "the peer hung up", "") \
    X(RUN_DRAINED, EXHAUSTED, 0x0a0b, "the server is shutting down", "connect again in a moment") \
    X(CONFIG_SYNTAX, MALFORMED, 0x0a20, "the configuration is not well-formed YAML", "mend the marked place") \
    X(CONFIG_KEY, INVALID, 0x0a21, "the configuration has a key that nothing reads", "casemate config explain lists all keys") \
    X(CONFIG_VALUE, INVALID, 0x0a22, "a value of the configuration is out of its bounds", "casemate config explain says what it may be") \
    X(CONFIG_LIMIT, LIMIT, 0x0a23, "the configuration is larger or deeper than is read", "") \
    X(KMSD_SEALED, EXHAUSTED, 0x0a40, "the server is not unsealed yet", "try again in a moment; see GET /readyz on the admin socket") \
    X(KMSD_NO_ROUTE, NOTFOUND, 0x0a41, "there is nothing at this path", "see docs/kms-api.md") \
    X(KMSD_KEYD_BUSY, CONFLICT, 0x0a42, "casemate-keyd is down or busy with an unsealing", "try again in a moment") \
    X(KMSD_NO_ROOT, NOTFOUND, 0x0a43, "the store holds no root key", "make one: casemate-kmsd --init, or casemate serve") \
    X(KMSD_ROOT_EXISTS, CONFLICT, 0x0a44, "the store holds a root key already", "start the server with it, or give another store") \
    X(KMSD_NO_PASSPHRASE, INVALID, 0x0a45, "there is no way to unseal: no passphrase and no shares", "write unseal.file, or ask for --shares") \
    X(KMSD_ROOT_SHARED, UNSUPPORTED, 0x0a47, "several servers share this store, and each holds its root", "a new generation is made while one server runs on SQLite; on PostgreSQL not yet") \
    X(KMSD_ROOT_IN_USE, CONFLICT, 0x0a48, "an older generation of the root still opens tenants' keys", "wait until the scheduler has wrapped them anew; its log says chores") \
    X(KMSD_NO_METHOD, UNSUPPORTED, 0x0a46, "there is no such gRPC method", "ask the server by reflection, or see docs/kms-api.md") \
    X(METRICS_TEXT, MALFORMED, 0x0a38, "this is no metrics text", "ask the admin socket of casemate-kmsd, or its metrics listener") \
    X(TRACE_ENDPOINT, INVALID, 0x0a30, "not the address of a trace collector", "write http://HOST:4318/v1/traces") \
    X(TRACE_REFUSED, IO, 0x0a31, "the trace collector did not take the spans", "see its log") \
    /* run, client: 0x0a80 */ \
    X(CLIENT_URL, INVALID, 0x0a80, "this is no URL of a server", "write https://host:port or unix:/path/of/socket") \
    X(CLIENT_RESOLVE, NOTFOUND, 0x0a81, "the server's name has no address", "check the name and the resolver") \
    X(CLIENT_REFUSED, IO, 0x0a82, "nobody listens there", "check that the server runs, its address and port") \
    X(CLIENT_UNREACHABLE, IO, 0x0a83, "the server can't be reached", "check network, routes and firewalls") \
    X(CLIENT_TIMEOUT, IO, 0x0a84, "the server did not answer in time", "check its load, or allow more time") \
    X(CLIENT_CLOSED, IO, 0x0a85, "the server closed the connection before it answered", "try again; whether it did the work is unknown") \
    X(CLIENT_RESPONSE, MALFORMED, 0x0a86, "the answer is not HTTP/1.1 of the strict form", "check that this is a casemate server; what stands between may be broken") \
    X(CLIENT_SESSION, UNAUTHENTIC, 0x0a87, "the server did not open a session", "check key and key id") \
    /* keys: 0x0801; unsealing and messages from 0x0880 */ \
    X(KEYMSG_MALFORMED, MALFORMED, 0x0880, "a message between kmsd and keyd is damaged", "run the same version of both") \
    X(KEYMSG_VERSION, UNSUPPORTED, 0x0881, "kmsd and keyd speak different versions", "run the same version of both") \
    X(KEYOP_SIZE, LIMIT, 0x0882, "a part of a key operation is larger than is taken", "sign a digest, or encrypt with a data key: at most 64 KiB go to the key holder") \
    X(SHARES_COUNT, INVALID, 0x0883, "there is no such splitting into shares", "ask for 1 to 32 shares, of which at least 1 and at most all are needed") \
    X(SHARES_FEW, CONFLICT, 0x0884, "more shares are needed", "give further shares of the same set") \
    X(SHARES_MIXED, INVALID, 0x0885, "a share belongs to another set", "give shares that were made together: their first two groups are the same") \
    X(SHARES_TWICE, INVALID, 0x0886, "the same share was given twice", "give different shares") \
    X(SHARES_FORGED, UNAUTHENTIC, 0x0887, "a share is not the one that was given out", "ask its holder; use another share") \
    X(SHARE_TEXT, MALFORMED, 0x0888, "this is not a share", "type all of its groups") \
    X(SHARE_CHECKSUM, MALFORMED, 0x0889, "the share was mistyped", "compare it group by group with what is on the paper") \
    X(SHARE_VERSION, UNSUPPORTED, 0x088a, "the share was made by a newer casemate", "update casemate") \
    X(BOOT_MALFORMED, MALFORMED, 0x088b, "the boot record is not well-formed", "restore the database from a backup") \
    X(BOOT_DAMAGED, MALFORMED, 0x088c, "the boot record is damaged", "restore the database from a backup; the passphrase was not tried") \
    X(BOOT_VERSION, UNSUPPORTED, 0x088d, "the boot record was made by a newer casemate", "update casemate") \
    X(BOOT_FORGED, UNAUTHENTIC, 0x088e, "the boot record was changed by someone who could not open it", "restore the database from a backup, and find out who wrote to it") \
    X(UNSEAL_METHOD, INVALID, 0x088f, "a way to unseal can't be set up like this", "give a passphrase that is not empty, a key file of 32 to 4096 bytes, or one set of shares; 1 to 16 ways in all") \
    X(UNSEAL_NO_SLOT, NOTFOUND, 0x0890, "there is no such way to unseal", "casemate kms status lists those there are") \
    X(UNSEAL_WRONG, UNAUTHENTIC, 0x0891, "this does not unseal it", "try again with the right passphrase, key file or shares") \
    X(UNSEAL_LAST, INVALID, 0x0892, "no way to unseal would be left", "add another before taking this one away") \
    X(UNSEAL_GENERATION, CONFLICT, 0x0893, "the root can't be rotated or retired like this", "re-wrap all tenants to the newest generation, then retire the older ones; at most 8 are held") \
    X(KEYS_SEALED, CONFLICT, 0x0894, "the keys are sealed", "unseal them first") \
    X(KEYS_UNSEALED, CONFLICT, 0x0895, "the keys are unsealed already", "seal them first") \
    X(KEYD_NO_CREDENTIAL, NOTFOUND, 0x0896, "the key holder was given no credential", "start casemate-keyd with --credential") \
    X(KEYD_NOT_PERMITTED, DENIED, 0x0897, "this connection may not ask for that", "use the admin connection") \
    X(FROST_PARAMS, INVALID, 0x0898, "there is no such threshold key", "ask for 2 to 32 shares, of which at least 2 and at most all sign") \
    X(FROST_SHARE, UNAUTHENTIC, 0x0899, "a share of the signature or of the key is not what it must be", "leave its holder out and sign again") \
    X(FROST_LIST, INVALID, 0x089a, "the list of signers does not fit the key", "give the commitments of enough of its holders, once each, in order of their numbers") \
    X(FROST_NOT_OURS, INVALID, 0x089b, "the list of commitments does not hold this signer's own", "begin with round one") \
    X(FROST_NONCE_USED, CONFLICT, 0x089c, "these nonces have signed already", "begin with round one: nonces serve once") \
    X(FROST_POINT, MALFORMED, 0x089d, "not an element of the group", "leave its sender out and sign again") \
    X(FROST_ENCODING, MALFORMED, 0x089e, "the threshold key or commitment is damaged", "fetch it again") \
    /* run: 0x0a01; the sandbox from 0x0a50, the keeper from 0x0ac0, enclaves from 0x0ad0 */ \
    X(KEEPER_LOST, IO, 0x0ac0, "the key holder went away", "try again") \
    X(KEEPER_DOWN, IO, 0x0ac1, "the key holder can't be reached", "try again in a moment; check that casemate-keyd runs") \
    X(KEEPER_FULL, EXHAUSTED, 0x0ac2, "too many key operations are waiting", "try again in a moment") \
    X(KEEPER_PEER, DENIED, 0x0ac3, "the socket of the key holder belongs to another user", "check who listens there") \
    X(KEEPER_TIMEOUT, IO, 0x0ac4, "the key holder did not answer in time", "try again") \
    X(KEYD_SPAWN, IO, 0x0ac5, "casemate-keyd could not be started", "check that it is installed beside casemate-kmsd and can be run") \
    X(ENCLAVE_ELF, UNSUPPORTED, 0x0ad0, "this is no program or library of this machine that can be measured", "give an ELF program without an executable stack") \
    X(ENCLAVE_SCRIPT, UNSUPPORTED, 0x0ad1, "a script is run by another program", "name its interpreter as the program, and the script with --file") \
    X(ENCLAVE_NO_LIBRARY, NOTFOUND, 0x0ad2, "a library that the program needs was not found", "name its folder with --library-path") \
    X(ENCLAVE_KIND, INVALID, 0x0ad3, "only regular files can be measured", "name a file") \
    X(ENCLAVE_TOO_MANY, LIMIT, 0x0ad4, "more files, arguments or variables than a manifest holds", "link the program statically, or put its files into the model's folder") \
    X(ENCLAVE_MANIFEST, MALFORMED, 0x0ad5, "this is no manifest in its one encoding", "make it again: casemate enclave manifest") \
    X(ENCLAVE_SIGNER, UNAUTHENTIC, 0x0ad6, "the signature is of another key than this, or the key is no ML-DSA key", "give the signer's ML-DSA key") \
    X(ENCLAVE_VARIABLE, DENIED, 0x0ad7, "a variable of this name may not reach the program", "it changes what the program loads or how: leave it out") \
    X(ENCLAVE_CHANGED, UNAUTHENTIC, 0x0ad8, "what is here is not what the manifest says", "run what the manifest names, or have a new one signed") \
    X(ENCLAVE_START, IO, 0x0ad9, "the program could not be started", "run casemate enclave run --json to see what is missing on this machine") \
    X(ENCLAVE_WEAK, DENIED, 0x0ada, "a protection that was demanded is missing on this machine", "the list says which; without --strict it is only said") \
    X(ENCLAVE_PROTOCOL, MALFORMED, 0x0adb, "the program broke the protocol of its channel", "see spec/enclave.md, section 4") \
    X(ENCLAVE_GONE, IO, 0x0adc, "the program ended before it answered", "see what it wrote") \
    X(ENCLAVE_TIMEOUT, IO, 0x0add, "the program did not answer in time", "allow more with --timeout") \
    X(ENCLAVE_ANSWER, LIMIT, 0x0ade, "the answer is larger than its limit", "allow more with --answer-max") \
    X(ENCLAVE_RESULT, UNAUTHENTIC, 0x0adf, "the answer is not of the program, model or request that was asked", "trust nothing in it; check the manifest's digest and the signer's key") \
    X(ENCLAVE_DIED, IO, 0x0ae0, "the program failed, or was ended by a signal", "see what it wrote; memory past its limit ends it by signal 9: --memory") \
    X(ENCLAVE_EVIDENCE, UNAUTHENTIC, 0x0ae1, "the evidence does not stand behind this manifest", "the lines with FAIL say why: trust nothing that this machine says") \
    X(ENCLAVE_LOG, MALFORMED, 0x0ae2, "this is no log of a register", "give the file that casemate enclave run --pcr-log wrote") \
    X(ENCLAVE_NO_MEMBER, NOTFOUND, 0x0ae3, "the model has no file of this number", "ask for its files from 0 on, until this is the answer") \
    X(ENCLAVE_LIMITS, INVALID, 0x0ae4, "a limit is outside of what an enclave takes", "memory from 4 MiB on, requests and answers up to 64 MiB") \
    X(SANDBOX_NO_SECCOMP, UNSUPPORTED, 0x0a50, "the kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER, or say --no-sandbox") \
    X(SANDBOX_NO_LANDLOCK, UNSUPPORTED, 0x0a51, "the kernel has no landlock", "use Linux 5.13 or later with landlock in its lsm= list, or say --no-sandbox") \
    X(SANDBOX_APPLY, INTERNAL, 0x0a52, "the sandbox could not be set up", "report it, and say --no-sandbox meanwhile") \
    X(SANDBOX_PATH, NOTFOUND, 0x0a53, "a path of the sandbox can't be opened", "make the folder first") \
    X(SANDBOX_LEAKS, INTERNAL, 0x0a54, "the sandbox let through what it must refuse", "report it; do not use this kernel") \
    /* hsm: 0x0c01 */ \
    X(HSM_REQUEST, INVALID, 0x0c01, "a request to a key device is out of its limits", "sign a digest, or wrap a seed of at most 4096 bytes") \
    X(HSM_MODULE, NOTFOUND, 0x0c03, "the PKCS#11 module can't be loaded", "check its path, and that the vendor's libraries are installed") \
    X(HSM_INTERFACE, UNSUPPORTED, 0x0c04, "the module has no PKCS#11 interface that is known here", "ask its vendor for PKCS#11 2.40 or 3.x") \
    X(HSM_INIT, IO, 0x0c05, "the module can't be initialised", "check the vendor's configuration with pkcs11-tool --list-slots") \
    X(HSM_NO_TOKEN, NOTFOUND, 0x0c06, "there is no token with this label", "casemate hsm status lists the module's tokens") \
    X(HSM_TOKENS, CONFLICT, 0x0c07, "several tokens have this label", "give each a label of its own") \
    X(HSM_OTHER_TOKEN, UNAUTHENTIC, 0x0c08, "another token answers to this label now", "put the first one back, or start again if it was meant to be replaced") \
    X(HSM_PIN_WRONG, DENIED, 0x0c09, "the token refused the PIN; it is not tried again", "mend the PIN, then start again") \
    X(HSM_PIN_LOW, DENIED, 0x0c0a, "the token says that few tries of the PIN are left, so it was not tried", "make sure of the PIN, then try once with --pin-retry") \
    X(HSM_PIN_LOCKED, DENIED, 0x0c0b, "the token has locked its PIN", "unlock it with the security officer's PIN") \
    X(HSM_NO_KEY, NOTFOUND, 0x0c0c, "the device holds no such key", "casemate hsm init makes the wrapping key") \
    X(HSM_KEYS, CONFLICT, 0x0c0d, "the device holds several keys with this id, or one already", "choose another id") \
    X(HSM_KEY_CHANGED, UNAUTHENTIC, 0x0c0e, "the key with this id is another one than it was", "find out who replaced it") \
    X(HSM_EXPORTABLE, DENIED, 0x0c0f, "the key is not held to the device: it can be read out of it", "make another with casemate hsm init") \
    X(HSM_MECHANISM, UNSUPPORTED, 0x0c10, "the device can't do this", "casemate hsm test shows what it can") \
    X(HSM_DEVICE, IO, 0x0c11, "the device reports an error", "try again; see the vendor's log") \
    X(HSM_GONE, IO, 0x0c12, "the device or its session is gone", "check that it is plugged in and reachable, then try again") \
    X(HSM_SESSIONS, EXHAUSTED, 0x0c13, "the device has no session or memory left", "close other programs that use it, or lower --sessions") \
    X(HSM_BLOB, UNAUTHENTIC, 0x0c14, "this was not wrapped by this key of the device, or for another purpose", "use the device and key that wrapped it") \
    X(HSM_WRONG, INTERNAL, 0x0c15, "the device gave a wrong result, which was held back", "use another device; report it to its vendor") \
    X(HSM_QUARANTINED, DENIED, 0x0c16, "the device gave a wrong result before and is not used any more", "test it with casemate hsm test, then start again") \
    X(HSM_MESSAGE, MALFORMED, 0x0c02, "a message between casemate-p11d and its client is damaged", "run the same version of both") \
    X(HSM_LOST, IO, 0x0c17, "the device's process went away", "try again; see its log") \
    X(HSM_TIMEOUT, IO, 0x0c18, "the device did not answer in time", "try again; see its log") \
    X(HSM_DOWN, IO, 0x0c19, "the device's process is down", "try again in a moment") \
    X(HSM_SPAWN, IO, 0x0c1a, "casemate-p11d could not be started", "check that it is installed beside this program and can be run") \
    X(HSM_NO_PIN, INVALID, 0x0c1b, "the token asks for a PIN and none was given", "give --pin-file, --pin-fd or a credential; never write a PIN on the command line") \
    X(HSM_PIN_RANGE, INVALID, 0x0c50, "the token does not take this as a PIN", "see its vendor's papers for length and characters; SoftHSM2: 4 to 255") \
    X(HSM_KEY_CLASSICAL, DENIED, 0x0c51, "the device's wrapping key is of RSA, which a quantum computer breaks, and nobody allowed that", "if it is meant: wrapping: rsa-not-post-quantum in the configuration, --wrapping rsa-not-post-quantum here") \
    X(HSM_KEY_SYMMETRIC, DENIED, 0x0c52, "the device's wrapping key is of AES-256, and one of RSA was asked for", "leave out wrapping: rsa-not-post-quantum, --wrapping rsa-not-post-quantum") \
    X(HSM_MODULE_OTHER, DENIED, 0x0c30, "the PKCS#11 module is not the one that was configured: its SHA-256 differs", "put the file back that was there; after an update, change hsm.module_sha256") \
    X(CLOUD_CONFIG, INVALID, 0x0c60, "the configuration of a key service can't be used", "see docs/hsm.md for what it has to say") \
    X(CLOUD_SECRETS, INVALID, 0x0c61, "the file of secrets lacks what this key service asks for", "see docs/hsm.md for what it has to say") \
    X(CLOUD_DENIED, DENIED, 0x0c62, "the key service refused who asked, or what for", "check the secrets, their rights and this machine's clock") \
    X(CLOUD_BUSY, EXHAUSTED, 0x0c63, "the key service takes no more requests now", "try again later, or raise the account's limits") \
    X(CLOUD_ANSWER, MALFORMED, 0x0c64, "the key service's answer can't be understood", "check its endpoint; what stands between may be broken") \
    X(CLOUD_DAMAGED, IO, 0x0c65, "what went to the key service or came from it was damaged on its way", "try again; what stands between may be broken") \
    /* market: 0x0d01 */ \
    X(AMOUNT_OVERFLOW, LIMIT, 0x0d01, "the amount does not fit 256 bits", "check the numbers: nothing on a chain is that large") \
    X(AMOUNT_UNDERFLOW, INVALID, 0x0d02, "the amount would fall below zero", "check which is subtracted from which") \
    X(AMOUNT_DIVISION, INVALID, 0x0d03, "an amount was divided by zero", "check the divisor") \
    X(AMOUNT_FORM, MALFORMED, 0x0d04, "the text is not an amount", "write decimal digits without sign, point or leading zero, in wei") \
    X(MARKET_MALFORMED, MALFORMED, 0x0d05, "not a receipt or settlement, or one cut short or followed by something", "fetch it again from its source") \
    X(MARKET_VERSION, UNSUPPORTED, 0x0d06, "a receipt or settlement of a version this build does not know", "use a newer build") \
    X(MARKET_UNIT, UNSUPPORTED, 0x0d07, "times or amounts are in another unit", "times are milliseconds, amounts are wei: convert before signing") \
    X(MARKET_FIELD, MALFORMED, 0x0d08, "a field of the receipt or settlement is missing or contradicts another", "see spec/market.md for what must be there") \
    X(MARKET_KEY, UNAUTHENTIC, 0x0d09, "the receipt or settlement names another signing key", "verify it with the public keys of whoever should have signed it") \
    X(MARKET_POLICY, DENIED, 0x0d0a, "it is not signed by every algorithm that is demanded", "ask its signer for one with both signatures, or change the demand") \
    X(MARKET_REALM, DENIED, 0x0d0b, "it is meant for another chain or tenant", "use it there") \
    X(MARKET_TERM, INVALID, 0x0d0c, "it is valid for longer than allowed, or for no time", "receipts last an hour at most, settlements a day") \
    X(MARKET_EXPIRED, DENIED, 0x0d0d, "it is past its time", "ask for a new one") \
    X(MARKET_FUTURE, DENIED, 0x0d0e, "it is dated in the future", "check the clocks of both sides") \
    X(MARKET_BINDING, UNAUTHENTIC, 0x0d0f, "the settlement does not belong to this receipt", "settle with the receipt that the settlement names, in its time") \
    X(MARKET_REPLAY, CONFLICT, 0x0d12, "this receipt's nonce has been used before", "sign anew with a new nonce; a receipt is accepted once") \
    X(MARKET_SETTLED, CONFLICT, 0x0d13, "this job, or this receipt, is settled already", "look for the settlement that was signed: there is no second") \
    X(MARKET_OTHER, UNAUTHENTIC, 0x0d40, "a check failed: the record is of something else than was asked for", "compare the failed lines; ask its signer for the record that was meant") \
    X(CURVE_PARAMETERS, INVALID, 0x0d42, "the curve's parameters are out of bounds", "reserves are 1 to below 2^96; weight, lambda, fee and risk at most 10^18, weight and lambda not both 0") \
    X(CURVE_EMPTY, CONFLICT, 0x0d43, "the trade would empty the pool", "trade less") \
    X(CURVE_FEE, CONFLICT, 0x0d44, "the fee would take the whole amount", "trade less: the fee grows with the size") \
    X(CURVE_SLIPPAGE, CONFLICT, 0x0d45, "the trade brings less than was demanded", "ask for a new quote, or demand less") \
    X(MARKET_LINE, MALFORMED, 0x0d41, "a line of the list is not the fields of a receipt", "a JSON object a line: model, node, input, output as 64 hex digits; see casemate help poai batch") \
    X(MARKET_FORGOTTEN, DENIED, 0x0d14, "what was accepted at the time of this receipt is no longer known, so that it might be a second time", "ask for a new receipt; the server's clock was ahead, or the receipt is old") \
    X(OPENING_RANGE, DENIED, 0x0d10, "an opened matrix has entries too large to be checked", "open the exact products of the quantised weights: entries fit 32 bits") \
    X(OPENING_PRODUCT, UNAUTHENTIC, 0x0d11, "the opened product is wrong", "trust nothing of this inference") \
    /* keys_tpm: 0x0801 */ \
    X(TPM_NOT_BUILT, UNSUPPORTED, 0x08d0, "this build has no support for TPMs", "build it where tpm2-tss's headers are installed (Debian: libtss2-dev)") \
    X(TPM_LIBRARY, UNSUPPORTED, 0x08d1, "the libraries that speak with a TPM are not installed", "install tpm2-tss (Debian: libtss2-esys-3.0.2-0, libtss2-mu0, libtss2-tctildr0 and libtss2-tcti-device0)") \
    X(TPM_NONE, NOTFOUND, 0x08d2, "there is no TPM here, or it can't be used", "check that /dev/tpmrm0 is there and that you may open it (group tss), or name another with CASEMATE_TPM") \
    X(TPM_GONE, IO, 0x08d3, "the connection to the TPM broke", "try again; a TPM in software has to be running") \
    X(TPM_DEVICE, IO, 0x08d4, "the TPM reports an error", "try again; see the kernel's log") \
    X(TPM_FULL, EXHAUSTED, 0x08d5, "the TPM has no room for another key or session", "use it through the kernel's resource manager, /dev/tpmrm0, or end what else uses it") \
    X(TPM_LOCKED, DENIED, 0x08d6, "the TPM takes no authorization now: there were too many wrong ones", "wait until it recovers, or reset it with tpm2_dictionarylockout") \
    X(TPM_HIERARCHY, DENIED, 0x08d7, "the TPM's owner or endorsement hierarchy is under a password, or switched off", "make their authorization empty, and switch them on in the firmware") \
    X(TPM_SELECTION, INVALID, 0x08d8, "this selects no registers of a TPM", "name PCRs 0 to 23, each once, and a bank: pcr=7,11,bank=sha256") \
    X(TPM_BANK, UNSUPPORTED, 0x08d9, "the TPM does not keep this bank of registers", "name another bank, or switch this one on in the firmware") \
    X(TPM_UNSTEADY, CONFLICT, 0x08da, "the TPM's registers changed while they were read", "try again") \
    X(TPM_BLOB, MALFORMED, 0x08db, "what the TPM sealed is damaged", "restore it from a copy, or open it another way") \
    X(TPM_OTHER, DENIED, 0x08dc, "this was sealed by another TPM, or before this one was cleared", "open it on the machine that sealed it, or in another way, and seal it anew") \
    X(TPM_CHANGED, DENIED, 0x08dd, "this machine was started otherwise than when this was sealed: registers of its TPM differ", "start what was started then; if the change is wanted, open it another way and seal it anew") \
    X(TPM_AUTH, DENIED, 0x08de, "the TPM refused the authorization", "check it before you try again: the TPM counts wrong ones") \
    X(TPM_NO_EK, NOTFOUND, 0x08df, "the TPM has no certificate of an endorsement key that is known here", "ask its maker for one, or list its attestation key in the policy") \
    X(TPM_CREDENTIAL, UNAUTHENTIC, 0x08e0, "the TPM does not open this credential: it was made for another one, or is damaged", "have one made for the key and certificate that this TPM shows now") \
    /* cmd: 0x0f01 */ \
    /* envelope: 0x0401 */                                                                         \
    /* sealed: 0x0501 */                                                                           \
    /* model formats and folders: 0x0540 */                                                        \
    X(FORMAT_MALFORMED, MALFORMED, 0x0540, "the model file's header is not well-formed",           \
      "check that the file is complete; download or convert it again")                             \
    X(FORMAT_TRUNCATED, MALFORMED, 0x0541, "the model file ends early",                            \
      "download it again; compare its size with the publisher's")                                  \
    X(FORMAT_LIMIT, LIMIT, 0x0542, "the model file has more tensors or a longer header than is read", \
      "split the model into several files")                                                        \
    X(FORMAT_VERSION, UNSUPPORTED, 0x0543, "this version of GGUF is not read",                     \
      "convert the file to GGUF version 3, or use a newer casemate")                               \
    X(FORMAT_BIG_ENDIAN, UNSUPPORTED, 0x0544, "a big-endian GGUF file",                            \
      "convert it to little-endian")                                                               \
    X(FORMAT_TYPE, UNSUPPORTED, 0x0545, "a tensor has a type that is not known here",              \
      "use a newer casemate; sealed as a raw file, it is as safe but has no index")                \
    X(FORMAT_TENSOR, MALFORMED, 0x0546, "a tensor's type, shape, size and place contradict each other", \
      "do not load this file; download or convert it again")                                       \
    X(FORMAT_DUPLICATE, MALFORMED, 0x0547, "a name occurs twice in the model file's header",       \
      "do not load this file: programs would not agree on what is in it")                          \
    X(FORMAT_UNKNOWN, INVALID, 0x0548, "not the name of a model format",                           \
      "use safetensors, gguf, directory or raw")                                                   \
    X(SEALED_INDEX, MALFORMED, 0x0550, "the index of tensors is not well-formed or leads outside the model", \
      "fetch the container again; if its signature is right, ask its publisher")                   \
    X(SEALED_NO_TENSOR, NOTFOUND, 0x0551, "the model has no tensor of that name",                  \
      "casemate inspect --tensors lists their names")                                              \
    X(DIR_LINK, INVALID, 0x0560, "a symbolic link inside the folder",                              \
      "replace it with what it points to: cp -rL makes such a copy of a folder")                   \
    X(DIR_SPECIAL, INVALID, 0x0561, "a pipe, socket or device inside the folder",                  \
      "remove it: only files and folders can be sealed")                                           \
    X(DIR_PATH, INVALID, 0x0562, "a file name that can't be restored everywhere",                  \
      "rename it: UTF-8 without control characters and backslashes, at most 1024 bytes with its folders") \
    X(DIR_DEPTH, LIMIT, 0x0563, "folders inside each other more than 32 deep", "move them up")     \
    X(DIR_LIMIT, LIMIT, 0x0564, "the folder has more than 65536 files or too many bytes",          \
      "pack small files into an archive")                                                          \
    X(DIR_EMPTY, INVALID, 0x0565, "there is no file in the folder", "check the path")              \
    X(DIR_CHANGED, CONFLICT, 0x0566, "a file of the folder changed while it was read",             \
      "stop whatever writes to it and run the same command again")                                 \
    X(DIR_TABLE, MALFORMED, 0x0567, "the model's table of files is not well-formed",               \
      "nothing was created; do not use this container, ask its publisher")                         \
    X(DIR_NOT_EMPTY, CONFLICT, 0x0568, "the folder to write to is not empty", "choose another")    \
    /* store: 0x0601 */ \
    X(STORE_NO_ROW, NOTFOUND, 0x0601, "there is no such row", "check the name") \
    X(STORE_CONFLICT, CONFLICT, 0x0602, "somebody else changed it meanwhile", "look at it again and repeat the change") \
    X(STORE_LOCKED, CONFLICT, 0x0603, "the store is sealed", "unseal the server first") \
    X(STORE_PATH, MALFORMED, 0x0604, "a row's key is damaged", "check the store with casemate store fsck") \
    X(STORE_CORRUPT, IO, 0x0605, "the database is damaged", "restore it from a backup; casemate store fsck says what is left") \
    X(STORE_BUSY, CONFLICT, 0x0606, "the database is busy", "try again") \
    X(STORE_FOREIGN, MALFORMED, 0x0607, "the file is another program's database", "name another file") \
    X(STORE_NEWER, UNSUPPORTED, 0x0608, "the store was made by a newer casemate", "update casemate") \
    X(STORE_TENANTS, LIMIT, 0x060a, "the server has more tenants in use than it keeps keys for", "use several servers, each for some of the tenants") \
    X(STORE_BROKEN, IO, 0x0609, "the disk failed while writing; nothing more is written", "mend the disk; the server ends, and systemd starts it again") \
    X(STORE_OLDER, CONFLICT, 0x0610, "the store was made by an older casemate", "stop the servers, make a backup, then run casemate store migrate") \
    X(STORE_ROLLBACK, UNAUTHENTIC, 0x0611, "the database is older than the last that this server saw, or another one", "find the newer database; only if it is lost for good, start once with --accept-rollback") \
    X(STORE_ANCHOR, UNAUTHENTIC, 0x0612, "the anchor file is missing, damaged or another server's", "restore it; if it is lost for good, start once with --accept-rollback") \
    X(STORE_NO_LIBPQ, UNSUPPORTED, 0x0613, "libpq.so.5 can't be loaded", "install PostgreSQL's client library: apt-get install libpq5") \
    X(STORE_UNREACHABLE, IO, 0x0614, "the PostgreSQL server can't be reached", "check that it runs and the host, port and certificates of the connection") \
    X(STORE_LOGIN, DENIED, 0x0615, "the PostgreSQL server refuses this user", "check the user, its passfile or certificate, and its rights on the database") \
    X(STORE_CONNINFO, INVALID, 0x0616, "the PostgreSQL connection is not well-formed or holds a password", "write it as libpq's manual says; keep the password in a passfile (passfile=...)") \
    X(STORE_UNKNOWN, IO, 0x0617, "the PostgreSQL server was lost while it committed, and could not be asked whether it did", "look at the state before repeating the change") \
    X(STORE_LEASED, CONFLICT, 0x0618, "another node holds the lease", "wait until it gives it back or stops") \
    X(STORE_BACKUP, MALFORMED, 0x0619, "not a backup, or a damaged one", "take another copy of it; nothing was restored") \
    X(STORE_NOT_EMPTY, CONFLICT, 0x061a, "the store to restore into holds rows", "restore into a new one") \
    X(STORE_IN_USE, CONFLICT, 0x061c, "another process has this database open for writing", "stop the server that runs on it, or ask that server instead") \
    X(STORE_DAMAGED, MALFORMED, 0x061b, "the store's rows or files are damaged", "keep a copy, then restore a backup into a new store") \
    /* audit: 0x0701 */ \
    X(AUDIT_ENTRY, MALFORMED, 0x0701, "a log entry is not well-formed", "check that the log was written by this or an older casemate") \
    X(AUDIT_NOTE, MALFORMED, 0x0702, "the text is not a signed note", "fetch the checkpoint again whole, its signature lines included") \
    X(AUDIT_CHECKPOINT, MALFORMED, 0x0703, "the signed text is not a checkpoint", "fetch it again; a checkpoint is origin, size and root hash, a line each") \
    X(AUDIT_RECEIPT, MALFORMED, 0x0704, "the text is not a receipt", "fetch it again; a receipt begins with the line c2sp.org/tlog-proof@v1") \
    X(AUDIT_KEY, MALFORMED, 0x0705, "not a verifier key that is known here", "copy the whole line name+id+key as casemate audit key prints it") \
    X(AUDIT_SIGNATURE, UNAUTHENTIC, 0x0706, "a signature on a checkpoint is wrong", "trust nothing of it; keep it as evidence and fetch it again") \
    X(AUDIT_UNSIGNED, UNAUTHENTIC, 0x0707, "a key of the log that must sign has not", "give the keys of this log, or ask its operator for a checkpoint signed by all of them") \
    X(AUDIT_ORIGIN, UNAUTHENTIC, 0x0708, "the checkpoint is of another log", "check which log is meant") \
    X(AUDIT_QUORUM, UNAUTHENTIC, 0x0709, "too few witnesses have cosigned the checkpoint", "have it witnessed, or wait and fetch it again") \
    X(AUDIT_FORK, UNAUTHENTIC, 0x070a, "two checkpoints of the log contradict each other", "keep both as evidence: the log was rewritten") \
    X(AUDIT_SHRUNK, UNAUTHENTIC, 0x070b, "the log has become shorter", "keep both checkpoints as evidence: its end was cut off or an old state restored") \
    X(AUDIT_TILE, UNAUTHENTIC, 0x070c, "the log's content is not what its checkpoint says", "keep it as evidence and fetch the log again") \
    X(AUDIT_NO_LEAF, NOTFOUND, 0x070d, "the log has no entry of that number yet", "check the number; casemate audit tail shows the last ones") \
    X(AUDIT_DAMAGED, UNAUTHENTIC, 0x070e, "the rows of the log contradict each other", "stop, keep a copy of the database as evidence, restore a backup") \
    X(AUDIT_ROLLBACK, UNAUTHENTIC, 0x070f, "the database is older than what was last signed", "find the newer database; going on with this one needs an explicit decision") \
    X(AUDIT_CLOSED, IO, 0x0710, "the audit log can't be written, so nothing is done", "mend the database or the signer; the server goes on by itself") \
    X(COMMIT_FULL, EXHAUSTED, 0x0711, "too many changes are waiting to be committed", "try again shortly") \
    X(COMMIT_BUDGET, EXHAUSTED, 0x0712, "a budget is used up", "wait until it starts anew, or ask for a larger one") \
    X(AUDIT_OLD, CONFLICT, 0x0714, "the proof begins at another checkpoint than the witness cosigned last", "ask for a proof from that size: casemate audit prove --since-size") \
    X(COMMIT_COUNTER, UNAUTHENTIC, 0x0713, "a counter's row is not a counter", "check the database: casemate store fsck") \
    /* wire: 0x0901 */ \
    X(MSG_MALFORMED, MALFORMED, 0x0910, "the protobuf encoding of a message is damaged or ends early", "encode it again by the .proto of this server") \
    X(MSG_UNKNOWN, INVALID, 0x0911, "a message has a member that is not known here", "check its spelling; a newer server may know it") \
    X(MSG_FIELD, INVALID, 0x0912, "a field of a message is missing, of another type or out of bounds", "mend the named field") \
    X(MSG_LIMIT, LIMIT, 0x0913, "a message is too long, too deep or has too many parts", "send less") \
    /* HTTP: 0x0920 */ \
    X(HTTP_MALFORMED, MALFORMED, 0x0920, "the peer does not speak strict HTTP/1.1", "use a standard client; proxies in between must not rewrite the request") \
    X(HTTP_HEAD_LIMIT, LIMIT, 0x0921, "the head of a request is too long or has too many fields", "send fewer and shorter header fields") \
    X(HTTP_BODY_LIMIT, LIMIT, 0x0922, "the body of a request is too long", "send less at a time") \
    X(HTTP_VERSION, UNSUPPORTED, 0x0923, "neither HTTP/1.1 nor HTTP/2", "use a newer client") \
    X(HTTP_CODING, UNSUPPORTED, 0x0924, "a transfer coding or expectation that is not supported", "send the body as it is, or chunked") \
    X(HTTP_H2, MALFORMED, 0x0925, "the peer broke the rules of HTTP/2", "use a standard client") \
    X(HTTP_FLOOD, LIMIT, 0x0926, "the peer sends too many resets, pings, settings or empty frames", "slow down; cancel less") \
    X(HTTP_PIPELINE, LIMIT, 0x0927, "too much was sent ahead of unfinished answers", "wait for answers, or use HTTP/2") \
    /* gRPC: 0x0930 */ \
    X(GRPC_FRAME, MALFORMED, 0x0930, "the body is not the gRPC messages it should be", "send one whole message for a unary call") \
    X(GRPC_COMPRESSED, UNSUPPORTED, 0x0931, "compressed gRPC messages are not supported", "send them with identity encoding") \
    X(GRPC_TOO_LONG, LIMIT, 0x0932, "a gRPC message is too long", "send less at a time") \
    X(GRPC_METHOD, UNSUPPORTED, 0x0933, "no such gRPC service or method", "list them by reflection, or fetch the server's .proto") \
    X(GRPC_TIMEOUT, MALFORMED, 0x0934, "the grpc-timeout header is not well-formed", "up to eight digits and one of H M S m u n") \
    X(GRPC_SERVICE, NOTFOUND, 0x0935, "no service of this name", "list them by reflection") \
    /* keys: 0x0801 */ \
    X(KEY_USE, INVALID, 0x0801, "a key of this type can't do that", "use a key of another type; casemate key get shows the type") \
    X(KEY_FORM, INVALID, 0x0802, "the key can't do it in this form or with this context", "see the forms of its type in docs/kms-api.md") \
    X(KEY_UNSUPPORTED, UNSUPPORTED, 0x0803, "keys of this type are not supported by this build", "use another type") \
    X(KEY_STATE, CONFLICT, 0x0804, "the key is in a state that does not allow this", "casemate key get shows the state; activate the key or use another version") \
    X(KEY_TRANSITION, CONFLICT, 0x0805, "a key can't go from its state to that one", "see the states of spec/kms-keys.md") \
    X(KEY_DELAY, INVALID, 0x0807, "keys are destroyed after 7 to 30 days", "ask for a delay of 7 to 30 days") \
    X(KEY_DEVICE_WAIT, INTERNAL, 0x0808, "a device has to be asked first", "report it") \
    X(KEY_DEVICE_AWAY, IO, 0x0809, "the device that this tenant's keys are kept under does not answer", "bring it back; casemate hsm status and the key holder's log say more") \
    X(KEY_DEVICE_OTHER, CONFLICT, 0x080a, "the device does not open this tenant's keys: it is another one, or their wrapping key is gone", "bring back the device that wrapped them") \
    X(KEY_IN_DEVICE, INVALID, 0x080d, "the key was made in a device and can't leave it", "make one without --custody hsm-native, or work with this one where it is") \
    X(KEY_DEVICE_KIND, UNSUPPORTED, 0x080c, "the device has no keys of this type that stay in it", "use another type; casemate hsm test shows what the device has") \
    X(KEY_DEVICE_NONE, NOTFOUND, 0x080b, "no device of this name is there for tenants", "name one of hsm.providers whose use is tenants") \
    /* svc: 0x0b01 */ \
    X(SVC_NO_ROUTE, NOTFOUND, 0x0b01, "there is no such operation", "see docs/kms-api.md for method and path") \
    X(SVC_REQUEST, INVALID, 0x0b02, "the request is not well-formed", "mend the field that is named") \
    X(SVC_NAME, INVALID, 0x0b03, "a name is not well-formed", "1 to 128 bytes of UTF-8 without control characters; tenants: a-z 0-9 - _ . : only") \
    X(SVC_UNAUTHENTIC, UNAUTHENTIC, 0x0b04, "it is not proven who asks", "sign the request, or bring a certificate, session, token or API key that is registered with this tenant") \
    X(SVC_NEEDS_SIGNATURE, UNAUTHENTIC, 0x0b05, "this operation takes a full signature over the request", "sign it with the principal's ML-DSA key; sessions, tokens and API keys do not suffice") \
    X(SVC_REPLAY, UNAUTHENTIC, 0x0b06, "a request with this nonce has been seen before", "sign again with a new nonce") \
    X(SVC_DENIED, DENIED, 0x0b07, "the policy does not allow it", "ask an administrator of the tenant for a grant; Explain says which is missing") \
    X(SVC_DISABLED, DENIED, 0x0b08, "the principal or the tenant is disabled", "ask an administrator") \
    X(SVC_APPROVAL, DENIED, 0x0b09, "the approval is missing, over, of another request or not complete", "ask for one with RequestApproval and have it approved") \
    X(SVC_RATE, EXHAUSTED, 0x0b0a, "too many requests", "try again after the time in Retry-After") \
    X(SVC_BUDGET, EXHAUSTED, 0x0b0b, "the budget of the day or of the approval is used up", "try again after the time in Retry-After, or have it raised") \
    X(SVC_BUSY, CONFLICT, 0x0b0c, "others kept changing the same rows", "try again") \
    X(SVC_NO_TENANT, NOTFOUND, 0x0b0d, "there is no such tenant", "check its name") \
    X(SVC_NO_KEY, NOTFOUND, 0x0b0e, "there is no such key", "check keyspace and name") \
    X(SVC_NO_VERSION, NOTFOUND, 0x0b0f, "the key has no such version", "GetKey lists them") \
    X(SVC_NO_PRINCIPAL, NOTFOUND, 0x0b10, "there is no such principal", "check its name") \
    X(SVC_NO_GRANT, NOTFOUND, 0x0b11, "there is no such grant", "check its name") \
    X(SVC_NO_ROW, NOTFOUND, 0x0b12, "there is nothing of that name", "check the name") \
    X(SVC_EXISTS, CONFLICT, 0x0b13, "the name is taken", "choose another name") \
    X(SVC_KEY_KIND, INVALID, 0x0b14, "a key of this type can't do that", "use a key of a type that can; docs/kms-api.md lists them") \
    X(SVC_MIN_VERSION, DENIED, 0x0b15, "this version of the key is retired", "encrypt the data anew, or ask for a rewrap before raising min_decrypt_version") \
    X(SVC_NOT_EXPORTABLE, DENIED, 0x0b16, "the key may not be exported", "make a new one with exportable set: it can't be changed later") \
    X(SVC_KEYSPACE_KIND, INVALID, 0x0b17, "a model's keyspace is used by the operations on models alone, and they by nothing else", "use another keyspace, or CreateModelKeyspace first") \
    X(SVC_GRANT_FORM, INVALID, 0x0b18, "the grant contradicts itself", "mend the field that is named") \
    X(SVC_CREDENTIAL, INVALID, 0x0b19, "the credential is not well-formed", "mend the field that is named") \
    X(SVC_RECORD, INTERNAL, 0x0b1a, "a row holds a record that this build does not know", "use the casemate that wrote it, or a newer one; casemate store fsck") \
    X(SVC_LIMIT, LIMIT, 0x0b1b, "more than the service keeps of these", "remove some first") \
    X(SVC_EVIDENCE, UNAUTHENTIC, 0x0b1c, "the attestation evidence was not accepted", "it is not fresh, or not of the kind that is taken: collect it anew") \
    X(SVC_STATE, CONFLICT, 0x0b1d, "the key's state does not allow that", "GetKey shows its state") \
    X(SVC_SESSION, UNAUTHENTIC, 0x0b1e, "the session is over or of another connection", "open a new one") \
    X(SVC_SHORT, INVALID, 0x0b1f, "a destruction takes 7 to 30 days", "choose a delay in these bounds") \
    X(SVC_CIPHERTEXT, INVALID, 0x0b20, "it does not decrypt with this key and these additional data", "check key, keyspace and aad; fetch the ciphertext again from its source") \
    X(SVC_NO_VERIFIER, UNSUPPORTED, 0x0b22, "this server has no verifier for attestation evidence", "leave the evidence out; no grant that demands a measurement can hold here") \
    X(SVC_FORGOTTEN, UNAUTHENTIC, 0x0b23, "the request was signed at a time whose nonces are no longer kept", "sign again, by a clock that is right; the server's own was ahead, or the request is old") \
    X(SVC_BATCH, INVALID, 0x0b24, "the batch costs more than its rates ever let through at once", "send fewer items in one batch, or raise the rate") \
    X(SVC_CHALLENGE, UNAUTHENTIC, 0x0b25, "the challenge is missing, over or none of this server's", "ask for one with AttestChallenge and collect evidence for it anew") \
    X(SVC_CHALLENGE_USED, UNAUTHENTIC, 0x0b26, "the challenge has been used", "ask for one with AttestChallenge and collect evidence for it anew") \
    X(SVC_NO_POLICY, NOTFOUND, 0x0b27, "there is no such attestation policy", "check its name; casemate attest list-policies") \
    X(SVC_NOT_RELEASABLE, DENIED, 0x0b28, "the key names no attestation policy, so it is not released to evidence", "make a new one with release_policy set: it can't be changed later") \
    X(SVC_RELEASE_ONLY, DENIED, 0x0b29, "what this key opens leaves by ReleaseKey alone", "show evidence that meets the key's attestation policy: ReleaseKey") \
    X(SVC_RELEASE_REFUSED, DENIED, 0x0b2a, "the key's attestation policy does not accept the evidence", "the detail says which check failed; casemate attest get-policy shows what is asked") \
    X(SVC_API_KEY_OVER, UNAUTHENTIC, 0x0b21, "this API key's time is over", "make a new one: casemate principal api-key") \
    /* attest: 0x0e01 */ \
    X(ATTEST_KIND, UNSUPPORTED, 0x0e01, "the bytes are no evidence of a kind that is known", "check the file: the kinds are listed in spec/attest.md") \
    X(ATTEST_CERTIFICATE, MALFORMED, 0x0e02, "a certificate that came with the evidence can't be read", "give DER or PEM certificates, 24 at most") \
    X(ATTEST_REFUSED, UNAUTHENTIC, 0x0e03, "the evidence was refused", "do not trust what sent it; the failed check says why") \
    X(ATTEST_INCOMPLETE, DENIED, 0x0e04, "nothing failed, but not every check could be made", "give what the skipped checks need, or let the policy skip them by name") \
    X(ATTEST_BUNDLE, LIMIT, 0x0e05, "more certificates, lists and statements than are looked at for one piece of evidence", "name those that belong to it with --collateral, and say --alone") \
    X(RIM_FORM, MALFORMED, 0x0e30, "this is no reference manifest of the form that is known", "take it as the vendor's service gives it, or import it again: casemate attest rim") \
    X(RIM_SIGNER, UNAUTHENTIC, 0x0e31, "the reference manifest is not signed by its vendor at that time", "fetch it again from the vendor; --at judges as of another time") \
    X(ATTEST_TPM_KEY, UNSUPPORTED, 0x0e40, "a credential can't be made for this TPM's keys", "give the certificate of an RSA or NIST-curve endorsement key and the TPM2B_PUBLIC of a restricted signing key") \
    X(RELEASE_MESSAGE, MALFORMED, 0x0ed0, "the message is not one of the key broker protocol", "send Request, Attestation or Response as spec/release.md has them") \
    X(RELEASE_VERSION, UNSUPPORTED, 0x0ed1, "the client speaks another version of the key broker protocol", "use a client of version 0.4.0") \
    X(RELEASE_TEE, UNSUPPORTED, 0x0ed2, "no evidence of this kind of environment is verified here", "the kinds are listed in spec/release.md; `sample` is none") \
    X(RELEASE_CLASSICAL, UNSUPPORTED, 0x0ed3, "the requester's key is RSA or of an elliptic curve, to which nothing is released", "make an ML-KEM-768 key: kty AKP, alg ML-KEM-768+A192KW") \
    X(RELEASE_KEY, MALFORMED, 0x0ed4, "the requester's key is not an ML-KEM-768 public key", "send kty AKP, alg ML-KEM-768+A192KW and the 1184 bytes as pub in base64url") \
    X(RELEASE_EVIDENCE, UNSUPPORTED, 0x0ed5, "the evidence is in a form that is not read", "send it as a pack: casemate attest evidence --pack") \
    X(RELEASE_JWE, MALFORMED, 0x0ed6, "the answer is not a JWE of ML-KEM-768+A192KW and A256GCM", "ask the key broker for the post-quantum form") \
    X(RELEASE_CHALLENGE, UNAUTHENTIC, 0x0ed7, "the challenge is not one that was made here, was used before, or is over", "ask for a new challenge and collect the evidence anew") \
    X(GATHER_TSM_ABSENT, NOTFOUND, 0x0e81, "there is no configfs-tsm at this path", "mount configfs (Linux 6.7 or newer), load sev_guest or tdx_guest, or name the path with --tsm-root") \
    X(GATHER_TSM_NONE, NOTFOUND, 0x0e82, "no driver stands behind configfs-tsm", "load sev_guest or tdx_guest; outside a confidential guest there is none") \
    X(GATHER_TSM_BUSY, CONFLICT, 0x0e83, "the driver was busy with another report, each time", "wait until other programs have theirs, then try again") \
    X(GATHER_TSM_INTERRUPTED, IO, 0x0e84, "the report did not come in time, each time", "see whether the host's quoting service runs, then try again") \
    X(GATHER_TSM_RACE, CONFLICT, 0x0e85, "another program wrote to our report's entry, each time", "find out which one: the entry is ours alone") \
    X(GATHER_TSM_ECHO, UNAUTHENTIC, 0x0e86, "the report is not over the data that were given", "do not use it; see what provides configfs-tsm here") \
    X(GATHER_TSM, IO, 0x0e87, "the driver could not make a report", "see the kernel's log; the privilege level may be the host's alone") \
    X(GATHER_TSM_PROVIDER, UNSUPPORTED, 0x0e88, "reports of this provider are not known here", "sev_guest and tdx_guest are") \
    X(GATHER_TSM_TABLE, MALFORMED, 0x0e89, "the host's table of certificates is not of its form", "have the host's mended; the report itself is not affected") \
    X(GATHER_NSM_ABSENT, NOTFOUND, 0x0e8a, "there is no Nitro security module", "run it inside an enclave, whose /dev/nsm it is") \
    X(GATHER_NSM, IO, 0x0e8b, "the Nitro security module refused or failed", "check the sizes of nonce, user data and key; then try again") \
    X(GATHER_NSM_ANSWER, MALFORMED, 0x0e8c, "the Nitro security module's answer is not of its form", "see which driver provides /dev/nsm") \
    X(GATHER_GPU_ABSENT, NOTFOUND, 0x0e8d, "NVIDIA's management library is not here", "install the driver: libnvidia-ml.so.1 of R535 or newer") \
    X(GATHER_GPU_PLAIN, UNSUPPORTED, 0x0e8e, "the GPU makes no reports", "turn confidential computing on; only Hopper and newer have it") \
    X(GATHER_GPU, IO, 0x0e8f, "NVIDIA's management library failed", "see what nvidia-smi conf-compute says") \
    X(GATHER_GPU_ECHO, UNAUTHENTIC, 0x0e90, "the GPU's report is over another nonce", "do not use it; see which library was loaded") \
    X(TOKEN_FORM, UNAUTHENTIC, 0x0ed8, "the result token is not of the one form", "get a new one from its authority; casemate attest token show tells what it says") \
    X(TOKEN_KEY, UNAUTHENTIC, 0x0ed9, "the result token is not signed by this key, or the key is not ML-DSA-65", "give the ML-DSA-65 key of the authority that issued it") \
    X(TOKEN_ISSUER, UNAUTHENTIC, 0x0eda, "the result token is from another issuer", "use one from the issuer that is expected") \
    X(TOKEN_TIME, UNAUTHENTIC, 0x0edb, "the result token was issued in the future", "check the clocks") \
    X(REATTEST_EXPIRED, UNAUTHENTIC, 0x0ee0, "the attestation result is over: attest again", "show evidence anew; results hold for minutes") \
    X(REATTEST_RECONNECT, UNAUTHENTIC, 0x0ee1, "the attestation result is held by another key or connection: attest again", "show evidence on this connection, bound to its keys") \
    X(REATTEST_RESTART, UNAUTHENTIC, 0x0ee2, "the machine has started anew since: attest again", "show evidence of this start") \
    X(REATTEST_MODEL, UNAUTHENTIC, 0x0ee3, "the attestation result is of another model or manifest: attest again", "show evidence bound to what runs now") \
    X(REATTEST_POLICY, UNAUTHENTIC, 0x0ee4, "the policy has changed since: attest again", "show evidence, to be judged by the policy in force") \
    X(MEASURE_FIRMWARE, MALFORMED, 0x0ea0, "the firmware image can't be read", "give the image that the machine maps below 4 GiB: OVMF.fd as a whole, or its code alone") \
    X(MEASURE_NO_SEV, UNSUPPORTED, 0x0ea1, "the firmware image says nothing of SEV-SNP", "use a build with SEV-SNP metadata") \
    X(MEASURE_NO_TDX, UNSUPPORTED, 0x0ea2, "the firmware image says nothing of TDX", "use a build with TDX metadata") \
    X(MEASURE_NO_BOOT, UNSUPPORTED, 0x0ea3, "this firmware does not measure a kernel that it is given", "use a build that keeps a table of hashes (AmdSev), or leave the kernel out") \
    X(MEASURE_LOG, MALFORMED, 0x0ea4, "the event log can't be read", "give the log as firmware wrote it: CCEL data of a TD, or a TPM's binary log") \
    X(MEASURE_PE, MALFORMED, 0x0ea5, "the kernel is no EFI program", "give the bzImage or unified image that the firmware starts") \
    X(REFERENCE_FORM, MALFORMED, 0x0ea8, "the file holds no reference values in a form that is known", "give a CoRIM in CBOR, or a manifest that casemate attest reference sign wrote") \
    X(REFERENCE_UNSIGNED, DENIED, 0x0ea9, "nobody signed these reference values", "get them signed, or say --unsigned when you know where they come from") \
    X(REFERENCE_SIGNER, UNAUTHENTIC, 0x0eaa, "the reference values are signed by nobody whose key was given", "give the signer's public key with --key") \
    X(REFERENCE_EXPIRED, DENIED, 0x0eab, "the reference values are not valid at this time", "get newer ones from whoever signs them") \
    X(REFERENCE_NONE, UNSUPPORTED, 0x0eac, "there are no measurements of machines among the reference values", "give values of SEV-SNP launches, TDs or enclaves") \
    X(ATTEST_JSON, MALFORMED, 0x0e9a, "the text is not evidence as Confidential Containers' attesters send it", "send each member once, under the names of spec/attest.md, section 15, or send a pack: casemate attest evidence --pack") \
    X(ATTEST_SET, MALFORMED, 0x0e91, "the file begins as a set of evidence and is none", "fetch it again from whoever made it") \
    X(GATHER_NONE, NOTFOUND, 0x0e80, "nothing on this machine makes evidence", "run it inside a confidential guest or beside a TPM, or name the source: --tsm-root, --nsm, --gpu, --tpm") \
    X(COLLATERAL_KIND, UNSUPPORTED, 0x0eb0, "the file is nothing that a store of collateral keeps", "give certificates, revocation lists, the vendor's statements or lists") \
    X(COLLATERAL_OLD, CONFLICT, 0x0eb1, "the store holds a newer one", "nothing: what is newer stays") \
    X(COLLATERAL_FETCH, IO, 0x0eb2, "the fetcher brought nothing that can be used", "see what the command says by itself; the store keeps what it had") \
    X(COLLATERAL_BUNDLE, MALFORMED, 0x0eb3, "the bundle of collateral can't be read", "export it again") \
    X(COLLATERAL_SOURCES, MALFORMED, 0x0eb4, "the list of sources can't be read", "one name and one address a line") \
    X(POLICY_SYNTAX, MALFORMED, 0x0e10, "the policy file can't be read", "mend the line that is named") \
    X(POLICY_FORM, INVALID, 0x0e11, "the policy file says something that means nothing", "mend the line that is named: docs/attest-policy.schema.json has what may stand where") \
    X(POLICY_REFUSED, DENIED, 0x0e12, "the policy refuses the evidence", "the sentence says why; casemate attest policy explain says what would be accepted") \
    X(POLICY_VERSION, CONFLICT, 0x0e13, "the policy's version is not higher than that of the policy in force", "raise its version, then have it signed") \
    X(POLICY_SIGNATURES, UNAUTHENTIC, 0x0e14, "the policy is not signed by two people whom the policy in force names", "have another of its signers sign it: casemate attest policy sign") \
    X(POLICY_SIGNER, UNAUTHENTIC, 0x0e15, "a signature or key is of nobody whose word counts for this policy", "use an ML-DSA key that the policy in force names among its signers, and give its public half") \
    /* cmd: 0x0f01 */ \
    X(CLI_USAGE, INVALID, 0x0f01, "the command line is wrong", "see casemate help") \
    X(CLI_NO_HOME, NOTFOUND, 0x0f02, "there is no folder of keys", "set HOME or CASEMATE_HOME, then run casemate init") \
    X(CLI_NO_TERMINAL, INVALID, 0x0f03, "a passphrase is needed and there is no terminal to ask on", "give it in a file or on a descriptor") \
    X(CLI_PASSPHRASES_DIFFER, INVALID, 0x0f04, "the two passphrases differ", "type the same one twice") \
    X(CLI_CHECK_FAILED, UNAUTHENTIC, 0x0f05, "a check failed", "do not use this file; fetch it from its publisher again") \
    X(CLI_NO_COMMAND, NOTFOUND, 0x0f06, "there is no such command", "check its name and PATH") \
    X(CLI_EXEC, DENIED, 0x0f07, "the command can't be run", "check its mode and format") \
    X(CLI_SERVER_INIT, INTERNAL, 0x0f30, "the server could not be set up", "see what casemate-kmsd says above") \
    X(CLI_NO_SERVER, NOTFOUND, 0x0f09, "no server is known", "start one with casemate serve, or name a profile: --server FILE or CASEMATE_SERVER") \
    X(CLI_PROFILE, MALFORMED, 0x0f0a, "the file is not a server profile", "it is a JSON object of server, roots, certificate, certificate_key, sign_key, keyid, token_file, tenant") \
    X(CLI_SERVER, INTERNAL, 0x0f0b, "the server answered something unexpected", "check that the address is casemate's and both are of the same version") \
    X(CLI_ATTEST_POLICY, NOTFOUND, 0x0f40, "the server has no attestation policy with this file's digest", "put it in force first: casemate attest put-policy") \
    X(CLI_NO_EVIDENCE, NOTFOUND, 0x0f41, "this machine has nothing that shows evidence", "it takes configfs-tsm, AWS Nitro or a TPM; CASEMATE_TPM names another TPM") \
    X(CLI_NO_RECIPIENT, NOTFOUND, 0x0f08, "no recipient has this id", "casemate inspect shows who can open it")

/* clang-format on */
#endif
