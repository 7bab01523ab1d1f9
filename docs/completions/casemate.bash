# Completion of casemate for bash, made by casemate help --completions.

_casemate_words() {
    local cur=$1 prev=$2 verb=$3 IFS=$' \t\n'
    case $verb in
    '') compgen -W 'seal open cat exec inspect verify rewrap sign upgrade digest doctor proxy top serve unseal seal-server rotate-root init version help key cert config tenant principal policy approval model audit system attest enclave hsm poai settle store' -- "$cur" ;;
    key) compgen -W 'new show public passwd wrap fingerprint create deal import import-wrapped info list update rotate state destroy restore delete public-key attest sign verify sign-share aggregate sign-poai sign-poai-batch sign-poai-root verify-poai sign-settlement verify-settlement encrypt decrypt encapsulate decapsulate data-key wrap unwrap rewrap mac verify-mac random export release' -- "$cur" ;;
    cert) compgen -W 'root intermediate server client request sign show verify' -- "$cur" ;;
    config) compgen -W 'check explain schema reference' -- "$cur" ;;
    tenant) compgen -W 'create list show update rotate erase' -- "$cur" ;;
    principal) compgen -W 'create list show disable enable add-credential remove-credential api-key put-issuer' -- "$cur" ;;
    policy) compgen -W 'put show list delete explain' -- "$cur" ;;
    approval) compgen -W 'request approve show list' -- "$cur" ;;
    model) compgen -W 'keyspace wrap unwrap' -- "$cur" ;;
    audit) compgen -W 'verify prove export tail witness key checkpoint receipt list' -- "$cur" ;;
    system) compgen -W 'rotate-root status' -- "$cur" ;;
    attest) compgen -W 'evidence verify policy rim measure reference collateral challenge release receive token put-policy get-policy list-policies server-challenge' -- "$cur" ;;
    enclave) compgen -W 'manifest run call verify' -- "$cur" ;;
    hsm) compgen -W 'status test bench rotate-pin init set-weight migrate migration' -- "$cur" ;;
    poai) compgen -W 'sign verify batch extract' -- "$cur" ;;
    settle) compgen -W 'sign verify quote' -- "$cur" ;;
    store) compgen -W 'info backup restore fsck migrate' -- "$cur" ;;
    'seal')
        case $prev in
        --to | -r) compgen -f -- "$cur" && return ;;
        --to-kms) : && return ;;
        --kms-keyspace) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --sign) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --output | -o) compgen -f -- "$cur" && return ;;
        --tier) compgen -W '0 1 2 3 4' -- "$cur" && return ;;
        --name) : && return ;;
        --model-version) : && return ;;
        --licence) : && return ;;
        --publisher) : && return ;;
        --provenance) : && return ;;
        --policy) : && return ;;
        --segment-size) : && return ;;
        --room) : && return ;;
        --threads) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--to -r --to-kms --kms-keyspace --server --passphrase --passphrase-file --passphrase-fd --sign --key-passphrase-file --key-passphrase-fd --unsigned --output -o --tier --name --model-version --licence --publisher --provenance --policy --private-digest --keyless-verify --segment-size --room --allow-classical --threads --force --no-resume --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'open')
        case $prev in
        --server) compgen -f -- "$cur" && return ;;
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        --output | -o) compgen -f -- "$cur" && return ;;
        --threads) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--server --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --output -o --stream-unverified --threads --force --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'cat')
        case $prev in
        --tensor) : && return ;;
        --file) : && return ;;
        --range) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        --output | -o) compgen -f -- "$cur" && return ;;
        --threads) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tensor --file --range --server --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --output -o --threads --force --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'exec')
        case $prev in
        --model) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        --threads) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--model --server --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --threads --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'inspect')
        case $prev in
        --server) compgen -f -- "$cur" && return ;;
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--server --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --tensors --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'verify')
        case $prev in
        --server) compgen -f -- "$cur" && return ;;
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        --threads) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--server --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --threads --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'rewrap')
        case $prev in
        --add) compgen -f -- "$cur" && return ;;
        --add-kms) : && return ;;
        --kms-keyspace) : && return ;;
        --add-passphrase-file) compgen -f -- "$cur" && return ;;
        --add-passphrase-fd) : && return ;;
        --remove) compgen -f -- "$cur" && return ;;
        --only) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--add --add-kms --kms-keyspace --add-passphrase --add-passphrase-file --add-passphrase-fd --remove --only --server --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'sign')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --output | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --key-passphrase-file --key-passphrase-fd --detached --output -o --force --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'upgrade')
        case $prev in
        --to | -r) compgen -f -- "$cur" && return ;;
        --to-passphrase-file) compgen -f -- "$cur" && return ;;
        --to-passphrase-fd) : && return ;;
        --sign) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        --output | -o) compgen -f -- "$cur" && return ;;
        --tier) compgen -W '0 1 2 3 4' -- "$cur" && return ;;
        --name) : && return ;;
        --model-version) : && return ;;
        --licence) : && return ;;
        --publisher) : && return ;;
        --policy) : && return ;;
        --segment-size) : && return ;;
        --threads) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--to -r --to-passphrase --to-passphrase-file --to-passphrase-fd --sign --server --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --output -o --tier --name --model-version --licence --publisher --policy --private-digest --keyless-verify --segment-size --threads --force --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'digest')
        case $prev in
        --threads) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--threads --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'key new')
        case $prev in
        --type | -t) compgen -W 'X-Wing ML-KEM-512 ML-KEM-768 ML-KEM-1024 X25519 ML-DSA-44 ML-DSA-65 ML-DSA-87 SLH-DSA-SHA2-128s SLH-DSA-SHA2-128f Ed25519 P-256 P-384 secp256k1 ML-DSA-65+Ed25519 ML-DSA-87+Ed25519' -- "$cur" && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--type -t --out -o --passphrase-file --passphrase-fd --no-passphrase --pbes2 --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key show')
        case $prev in
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'key public')
        case $prev in
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key-passphrase-file --key-passphrase-fd --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'key passwd')
        case $prev in
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --no-passphrase --pbes2 --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'key wrap')
        case $prev in
        --to) compgen -f -- "$cur" && return ;;
        --type | -t) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--to --type -t --key-passphrase-file --key-passphrase-fd --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'key fingerprint')
        case $prev in
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'cert root')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --name) : && return ;;
        --organization) : && return ;;
        --days) : && return ;;
        --pathlen) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --key-passphrase-file --key-passphrase-fd --name --organization --days --pathlen --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'cert intermediate')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --ca) compgen -f -- "$cur" && return ;;
        --ca-key) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --name) : && return ;;
        --organization) : && return ;;
        --days) : && return ;;
        --pathlen) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --ca --ca-key --key-passphrase-file --key-passphrase-fd --name --organization --days --pathlen --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'cert server')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --ca) compgen -f -- "$cur" && return ;;
        --ca-key) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --name) : && return ;;
        --organization) : && return ;;
        --dns) : && return ;;
        --ip) : && return ;;
        --days) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --ca --ca-key --key-passphrase-file --key-passphrase-fd --name --organization --dns --ip --days --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'cert client')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --ca) compgen -f -- "$cur" && return ;;
        --ca-key) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --name) : && return ;;
        --organization) : && return ;;
        --dns) : && return ;;
        --ip) : && return ;;
        --days) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --ca --ca-key --key-passphrase-file --key-passphrase-fd --name --organization --dns --ip --days --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'cert request')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --role) compgen -W 'server client intermediate' -- "$cur" && return ;;
        --name) : && return ;;
        --organization) : && return ;;
        --dns) : && return ;;
        --ip) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --key-passphrase-file --key-passphrase-fd --role --name --organization --dns --ip --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'cert sign')
        case $prev in
        --ca) compgen -f -- "$cur" && return ;;
        --ca-key) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --role) compgen -W 'server client intermediate' -- "$cur" && return ;;
        --days) : && return ;;
        --pathlen) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--ca --ca-key --key-passphrase-file --key-passphrase-fd --role --days --pathlen --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'cert show')
        case $prev in
        esac
        [[ $cur != -* ]] || compgen -W '--json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'cert verify')
        case $prev in
        --root) compgen -f -- "$cur" && return ;;
        --chain) compgen -f -- "$cur" && return ;;
        --use) compgen -W 'any server client' -- "$cur" && return ;;
        --host) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--root --chain --use --host --allow-classical --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'audit verify')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --witness | -w) compgen -f -- "$cur" && return ;;
        --quorum) : && return ;;
        --since) compgen -f -- "$cur" && return ;;
        --entry) compgen -f -- "$cur" && return ;;
        --origin) : && return ;;
        --store) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --witness -w --quorum --since --entry --origin --store --server --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'audit prove')
        case $prev in
        --store) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        --tenant) : && return ;;
        --since-size) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --server --tenant --since-size --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'audit export')
        case $prev in
        --store) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'audit tail')
        case $prev in
        --store) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        --tenant) : && return ;;
        --lines | -n) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --server --tenant --lines -n --follow -f --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'audit witness')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --sign) compgen -f -- "$cur" && return ;;
        --name) : && return ;;
        --state) compgen -f -- "$cur" && return ;;
        --merge) compgen -f -- "$cur" && return ;;
        --origin) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --sign --name --state --merge --origin --key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'audit key')
        case $prev in
        --name) : && return ;;
        --as) compgen -W 'witness log' -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--name --as --key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'doctor')
        case $prev in
        --ca) compgen -f -- "$cur" && return ;;
        --cert) compgen -f -- "$cur" && return ;;
        --cert-key) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --policy) compgen -W 'hybrid strict' -- "$cur" && return ;;
        --timeout) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--ca --cert --cert-key --key-passphrase-file --key-passphrase-fd --policy --timeout --clients --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'proxy')
        case $prev in
        --listen) : && return ;;
        --to) : && return ;;
        --ca) compgen -f -- "$cur" && return ;;
        --cert) compgen -f -- "$cur" && return ;;
        --cert-key) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --policy) compgen -W 'hybrid strict' -- "$cur" && return ;;
        --connections) : && return ;;
        --idle) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--listen --to --ca --cert --cert-key --key-passphrase-file --key-passphrase-fd --policy --connections --idle --allow-remote --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'top')
        case $prev in
        --server) compgen -f -- "$cur" && return ;;
        --interval) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--server --interval --once --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'store info')
        case $prev in
        --store) compgen -f -- "$cur" && return ;;
        --postgres) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --postgres --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'store backup')
        case $prev in
        --store) compgen -f -- "$cur" && return ;;
        --postgres) compgen -f -- "$cur" && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --postgres --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'store restore')
        case $prev in
        --store) compgen -f -- "$cur" && return ;;
        --postgres) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --postgres --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'store fsck')
        case $prev in
        --store) compgen -f -- "$cur" && return ;;
        --postgres) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --postgres --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'store migrate')
        case $prev in
        --store) compgen -f -- "$cur" && return ;;
        --postgres) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --postgres --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'hsm status')
        case $prev in
        --module) compgen -f -- "$cur" && return ;;
        --cloud) compgen -f -- "$cur" && return ;;
        --tpm) : && return ;;
        --token) : && return ;;
        --pin-file) compgen -f -- "$cur" && return ;;
        --pin-fd) : && return ;;
        --wrapping) : && return ;;
        --init) : && return ;;
        --read) compgen -d -- "$cur" && return ;;
        --write) compgen -d -- "$cur" && return ;;
        --dir) compgen -d -- "$cur" && return ;;
        --socket) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--module --cloud --tpm --token --pin-file --pin-fd --no-pin --wrapping --pin-retry --init --read --write --network --no-sandbox --dir --socket --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'hsm test')
        case $prev in
        --module) compgen -f -- "$cur" && return ;;
        --cloud) compgen -f -- "$cur" && return ;;
        --tpm) : && return ;;
        --token) : && return ;;
        --pin-file) compgen -f -- "$cur" && return ;;
        --pin-fd) : && return ;;
        --wrapping) : && return ;;
        --init) : && return ;;
        --read) compgen -d -- "$cur" && return ;;
        --write) compgen -d -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--module --cloud --tpm --token --pin-file --pin-fd --no-pin --wrapping --pin-retry --init --read --write --network --no-sandbox --persistent --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'hsm bench')
        case $prev in
        --module) compgen -f -- "$cur" && return ;;
        --cloud) compgen -f -- "$cur" && return ;;
        --tpm) : && return ;;
        --token) : && return ;;
        --pin-file) compgen -f -- "$cur" && return ;;
        --pin-fd) : && return ;;
        --wrapping) : && return ;;
        --init) : && return ;;
        --read) compgen -d -- "$cur" && return ;;
        --write) compgen -d -- "$cur" && return ;;
        --milliseconds) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--module --cloud --tpm --token --pin-file --pin-fd --no-pin --wrapping --pin-retry --init --read --write --network --no-sandbox --milliseconds --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'hsm rotate-pin')
        case $prev in
        --module) compgen -f -- "$cur" && return ;;
        --cloud) compgen -f -- "$cur" && return ;;
        --tpm) : && return ;;
        --token) : && return ;;
        --pin-file) compgen -f -- "$cur" && return ;;
        --pin-fd) : && return ;;
        --wrapping) : && return ;;
        --init) : && return ;;
        --read) compgen -d -- "$cur" && return ;;
        --write) compgen -d -- "$cur" && return ;;
        --new-pin-file) compgen -f -- "$cur" && return ;;
        --new-pin-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--module --cloud --tpm --token --pin-file --pin-fd --no-pin --wrapping --pin-retry --init --read --write --network --no-sandbox --new-pin-file --new-pin-fd --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'hsm init')
        case $prev in
        --module) compgen -f -- "$cur" && return ;;
        --cloud) compgen -f -- "$cur" && return ;;
        --tpm) : && return ;;
        --token) : && return ;;
        --pin-file) compgen -f -- "$cur" && return ;;
        --pin-fd) : && return ;;
        --wrapping) : && return ;;
        --init) : && return ;;
        --read) compgen -d -- "$cur" && return ;;
        --write) compgen -d -- "$cur" && return ;;
        --label) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--module --cloud --tpm --token --pin-file --pin-fd --no-pin --wrapping --pin-retry --init --read --write --network --no-sandbox --label --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'serve')
        case $prev in
        --dir) compgen -d -- "$cur" && return ;;
        --listen) : && return ;;
        --host) : && return ;;
        --tenant) : && return ;;
        --shares) : && return ;;
        --shares-file) compgen -f -- "$cur" && return ;;
        --hsm-module) compgen -f -- "$cur" && return ;;
        --hsm-cloud) compgen -f -- "$cur" && return ;;
        --hsm-tpm) : && return ;;
        --hsm-token) : && return ;;
        --hsm-pin-file) compgen -f -- "$cur" && return ;;
        --hsm-wrapping) : && return ;;
        --hsm-files) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--dir --listen --host --tenant --shares --shares-file --hsm-module --hsm-cloud --hsm-tpm --hsm-token --hsm-pin-file --hsm-wrapping --hsm-files --prepare --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'unseal')
        case $prev in
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --share-file) compgen -f -- "$cur" && return ;;
        --dir) compgen -d -- "$cur" && return ;;
        --socket) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--status --passphrase-file --passphrase-fd --share-file --credential --dir --socket --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'seal-server')
        case $prev in
        --dir) compgen -d -- "$cur" && return ;;
        --socket) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--dir --socket --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'rotate-root')
        case $prev in
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --share-file) compgen -f -- "$cur" && return ;;
        --dir) compgen -d -- "$cur" && return ;;
        --socket) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--retire --passphrase-file --passphrase-fd --share-file --credential --dir --socket --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'config check')
        case $prev in
        esac
        [[ $cur != -* ]] || compgen -W '--json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'config explain')
        case $prev in
        esac
        [[ $cur != -* ]] || compgen -W '--json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'config schema')
        case $prev in
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'config reference')
        case $prev in
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest evidence')
        case $prev in
        --nonce) : && return ;;
        --bind) compgen -f -- "$cur" && return ;;
        --tsm-root) compgen -d -- "$cur" && return ;;
        --nvml) compgen -f -- "$cur" && return ;;
        --tcti) : && return ;;
        --pcr) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--nonce --bind --tsm-root --nsm --gpu --nvml --tpm --tcti --pcr --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest verify')
        case $prev in
        --collateral | -c) compgen -f -- "$cur" && return ;;
        --part) : && return ;;
        --store) compgen -d -- "$cur" && return ;;
        --at) : && return ;;
        --policy) compgen -f -- "$cur" && return ;;
        --reference) compgen -f -- "$cur" && return ;;
        --rim) compgen -f -- "$cur" && return ;;
        --measurement | -m) : && return ;;
        --config) : && return ;;
        --chip) : && return ;;
        --max-age) : && return ;;
        --status-age) : && return ;;
        --snp-floor) : && return ;;
        --vmpl) : && return ;;
        --accept-tcb) : && return ;;
        --evaluation) : && return ;;
        --may-skip) : && return ;;
        --nonce) : && return ;;
        --report-data) : && return ;;
        --bind) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--collateral -c --part --alone --store --at --policy --reference --rim --measurement -m --config --chip --max-age --status-age --snp-floor --vmpl --accept-tcb --evaluation --allow-debug --allow-migrate --may-skip --nonce --report-data --bind --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'attest policy')
        case $prev in
        --signature) compgen -f -- "$cur" && return ;;
        --key | -k) compgen -f -- "$cur" && return ;;
        --before) compgen -f -- "$cur" && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--signature --key -k --before --out -o --force --key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest rim')
        case $prev in
        --at) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--at --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest measure')
        case $prev in
        --firmware | -f) compgen -f -- "$cur" && return ;;
        --kernel) compgen -f -- "$cur" && return ;;
        --initrd) compgen -f -- "$cur" && return ;;
        --cmdline) : && return ;;
        --event-log) compgen -f -- "$cur" && return ;;
        --vcpus | -n) : && return ;;
        --cpu) : && return ;;
        --features) : && return ;;
        --vmm) compgen -W 'qemu ec2 gce' -- "$cur" && return ;;
        --firmware-digest) : && return ;;
        --order) compgen -W 'page section' -- "$cur" && return ;;
        --name) : && return ;;
        --until) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--firmware -f --kernel --initrd --cmdline --event-log --vcpus -n --cpu --features --vmm --firmware-digest --order --policy --name --until --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest reference')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --kind) : && return ;;
        --until) : && return ;;
        --at) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --unsigned --kind --until --at --out -o --force --key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest collateral')
        case $prev in
        --store) compgen -d -- "$cur" && return ;;
        --at) : && return ;;
        --fetch) compgen -c -- "$cur" && return ;;
        --fetch-arg) : && return ;;
        --from) compgen -d -- "$cur" && return ;;
        --spacing) : && return ;;
        --timeout) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --at --fetch --fetch-arg --from --spacing --timeout --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest challenge')
        case $prev in
        --state) compgen -d -- "$cur" && return ;;
        --kind) : && return ;;
        --request) compgen -f -- "$cur" && return ;;
        --ttl) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--state --kind --request --ttl --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest release')
        case $prev in
        --state) compgen -d -- "$cur" && return ;;
        --policy) compgen -f -- "$cur" && return ;;
        --collateral | -c) compgen -f -- "$cur" && return ;;
        --rim) compgen -f -- "$cur" && return ;;
        --store) compgen -d -- "$cur" && return ;;
        --nonce) : && return ;;
        --holder) compgen -f -- "$cur" && return ;;
        --tls-key) compgen -f -- "$cur" && return ;;
        --manifest) : && return ;;
        --at) : && return ;;
        --secret) compgen -f -- "$cur" && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --token) compgen -f -- "$cur" && return ;;
        --signer) compgen -f -- "$cur" && return ;;
        --issuer) : && return ;;
        --form) compgen -W 'jwt cwt' -- "$cur" && return ;;
        --token-ttl) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--state --policy --collateral -c --rim --alone --store --nonce --holder --tls-key --manifest --at --secret --out -o --token --signer --issuer --form --token-ttl --force --key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'attest receive')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --out -o --force --key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'attest token')
        case $prev in
        --state) compgen -d -- "$cur" && return ;;
        --policy) compgen -f -- "$cur" && return ;;
        --collateral | -c) compgen -f -- "$cur" && return ;;
        --rim) compgen -f -- "$cur" && return ;;
        --store) compgen -d -- "$cur" && return ;;
        --nonce) : && return ;;
        --holder) compgen -f -- "$cur" && return ;;
        --tls-key) compgen -f -- "$cur" && return ;;
        --manifest) : && return ;;
        --at) : && return ;;
        --boot) : && return ;;
        --signer) compgen -f -- "$cur" && return ;;
        --issuer) : && return ;;
        --form) compgen -W 'jwt cwt' -- "$cur" && return ;;
        --token-ttl) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--state --policy --collateral -c --rim --alone --store --nonce --holder --tls-key --manifest --at --boot --signer --issuer --form --token-ttl --out -o --force --key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'enclave manifest')
        case $prev in
        --model) compgen -f -- "$cur" && return ;;
        --config) compgen -f -- "$cur" && return ;;
        --policy) compgen -f -- "$cur" && return ;;
        --file) compgen -f -- "$cur" && return ;;
        --env | -e) : && return ;;
        --library-path) : && return ;;
        --memory) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --key | -k) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--model --config --policy --file --env -e --library-path --memory --stream --listens --from --any-publisher --unsigned --signature --out -o --key -k --force --key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'enclave run')
        case $prev in
        --model) compgen -f -- "$cur" && return ;;
        --config) compgen -f -- "$cur" && return ;;
        --policy) compgen -f -- "$cur" && return ;;
        --file) compgen -f -- "$cur" && return ;;
        --env | -e) : && return ;;
        --library-path) : && return ;;
        --memory) : && return ;;
        --expect) compgen -f -- "$cur" && return ;;
        --signed-by) compgen -f -- "$cur" && return ;;
        --socket) compgen -f -- "$cur" && return ;;
        --request) compgen -f -- "$cur" && return ;;
        --answer | -o) compgen -f -- "$cur" && return ;;
        --pcr) : && return ;;
        --pcr-log) compgen -f -- "$cur" && return ;;
        --tpm) : && return ;;
        --tsm-root) compgen -d -- "$cur" && return ;;
        --evidence) compgen -f -- "$cur" && return ;;
        --nonce) : && return ;;
        --listen) : && return ;;
        --timeout) : && return ;;
        --answer-max) : && return ;;
        --key | -k) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--model --config --policy --file --env -e --library-path --memory --stream --expect --signed-by --strict --socket --request --answer -o --pcr --pcr-log --tpm --tsm-root --evidence --nonce --listen --timeout --answer-max --key -k --server --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'enclave call')
        case $prev in
        --socket) compgen -f -- "$cur" && return ;;
        --request) compgen -f -- "$cur" && return ;;
        --answer | -o) compgen -f -- "$cur" && return ;;
        --manifest) : && return ;;
        --signed-by) compgen -f -- "$cur" && return ;;
        --evidence) compgen -f -- "$cur" && return ;;
        --nonce) : && return ;;
        --timeout) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--socket --request --answer -o --manifest --signed-by --evidence --nonce --timeout --force --key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'enclave verify')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        --program) compgen -f -- "$cur" && return ;;
        --library-path) : && return ;;
        --model) compgen -f -- "$cur" && return ;;
        --evidence) compgen -f -- "$cur" && return ;;
        --nonce) : && return ;;
        --answers) compgen -f -- "$cur" && return ;;
        --pcr) : && return ;;
        --pcr-log) compgen -f -- "$cur" && return ;;
        --collateral | -c) compgen -f -- "$cur" && return ;;
        --part) : && return ;;
        --store) compgen -d -- "$cur" && return ;;
        --at) : && return ;;
        --policy) compgen -f -- "$cur" && return ;;
        --reference) compgen -f -- "$cur" && return ;;
        --rim) compgen -f -- "$cur" && return ;;
        --measurement | -m) : && return ;;
        --config) : && return ;;
        --chip) : && return ;;
        --max-age) : && return ;;
        --status-age) : && return ;;
        --snp-floor) : && return ;;
        --vmpl) : && return ;;
        --accept-tcb) : && return ;;
        --evaluation) : && return ;;
        --may-skip) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --signature --program --library-path --model --evidence --nonce --answers --pcr --pcr-log --allow-emulated --collateral -c --part --alone --store --at --policy --reference --rim --measurement -m --config --chip --max-age --status-age --snp-floor --vmpl --accept-tcb --evaluation --allow-debug --allow-migrate --may-skip --from --any-publisher --unsigned --signature --key-passphrase-file --key-passphrase-fd --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'poai sign')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --model) : && return ;;
        --model-name) : && return ;;
        --node) : && return ;;
        --node-name) : && return ;;
        --input) compgen -f -- "$cur" && return ;;
        --input-digest) : && return ;;
        --output) compgen -f -- "$cur" && return ;;
        --output-digest) : && return ;;
        --attestation) compgen -f -- "$cur" && return ;;
        --attestation-digest) : && return ;;
        --proof) compgen -f -- "$cur" && return ;;
        --proof-digest) : && return ;;
        --hash) compgen -W 'sha256 keccak256' -- "$cur" && return ;;
        --compute-ms) : && return ;;
        --realm) : && return ;;
        --realm-name) : && return ;;
        --ttl) : && return ;;
        --issued-ms) : && return ;;
        --nonce) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --key-passphrase-file --key-passphrase-fd --model --model-name --node --node-name --input --input-digest --output --output-digest --attestation --attestation-digest --proof --proof-digest --hash --compute-ms --realm --realm-name --ttl --issued-ms --nonce --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'poai verify')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --need) compgen -W 'secp256k1 ml-dsa-65 both' -- "$cur" && return ;;
        --realm) : && return ;;
        --realm-name) : && return ;;
        --at-ms) : && return ;;
        --skew) : && return ;;
        --model) : && return ;;
        --model-name) : && return ;;
        --node) : && return ;;
        --node-name) : && return ;;
        --input) compgen -f -- "$cur" && return ;;
        --input-digest) : && return ;;
        --output) compgen -f -- "$cur" && return ;;
        --output-digest) : && return ;;
        --attestation) compgen -f -- "$cur" && return ;;
        --attestation-digest) : && return ;;
        --proof) compgen -f -- "$cur" && return ;;
        --proof-digest) : && return ;;
        --hash) compgen -W 'sha256 keccak256' -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --key-passphrase-file --key-passphrase-fd --need --realm --realm-name --at-ms --any-time --skew --model --model-name --node --node-name --input --input-digest --output --output-digest --attestation --attestation-digest --proof --proof-digest --hash --stored --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'poai batch')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --model) : && return ;;
        --model-name) : && return ;;
        --node) : && return ;;
        --node-name) : && return ;;
        --realm) : && return ;;
        --realm-name) : && return ;;
        --ttl) : && return ;;
        --issued-ms) : && return ;;
        --nonce) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --paths) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --key-passphrase-file --key-passphrase-fd --model --model-name --node --node-name --realm --realm-name --ttl --issued-ms --nonce --out -o --paths --force --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'poai extract')
        case $prev in
        --index) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--index --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'settle sign')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --receipt) compgen -f -- "$cur" && return ;;
        --receipt-key) compgen -f -- "$cur" && return ;;
        --job) : && return ;;
        --job-name) : && return ;;
        --provider) : && return ;;
        --consumer) : && return ;;
        --asset) : && return ;;
        --amount) : && return ;;
        --realm) : && return ;;
        --realm-name) : && return ;;
        --ttl) : && return ;;
        --issued-ms) : && return ;;
        --nonce) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --key-passphrase-file --key-passphrase-fd --receipt --receipt-key --any-receipt --job --job-name --provider --consumer --asset --amount --realm --realm-name --ttl --issued-ms --nonce --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'settle verify')
        case $prev in
        --key | -k) compgen -f -- "$cur" && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --need) compgen -W 'secp256k1 ml-dsa-65 both' -- "$cur" && return ;;
        --realm) : && return ;;
        --realm-name) : && return ;;
        --at-ms) : && return ;;
        --skew) : && return ;;
        --receipt) compgen -f -- "$cur" && return ;;
        --receipt-key) compgen -f -- "$cur" && return ;;
        --job) : && return ;;
        --job-name) : && return ;;
        --provider) : && return ;;
        --consumer) : && return ;;
        --asset) : && return ;;
        --amount) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --key-passphrase-file --key-passphrase-fd --need --realm --realm-name --at-ms --any-time --skew --receipt --receipt-key --job --job-name --provider --consumer --asset --amount --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'settle quote')
        case $prev in
        --x) : && return ;;
        --y) : && return ;;
        --in) : && return ;;
        --least) : && return ;;
        --weight) : && return ;;
        --lambda) : && return ;;
        --fee) : && return ;;
        --risk) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--x --y --in --from-y --least --weight --lambda --fee --risk --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'init')
        case $prev in
        --tier) compgen -W '0 1 2 3 4' -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tier --passphrase-file --passphrase-fd --no-passphrase --pbes2 --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'version')
        case $prev in
        esac
        [[ $cur != -* ]] || compgen -W '--deps --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    help) compgen -W '--man --completions --markdown seal open cat exec inspect verify rewrap sign upgrade digest doctor proxy top serve unseal seal-server rotate-root init version help key cert config tenant principal policy approval model audit system attest enclave hsm poai settle store' -- "$cur" ;;
    'tenant create')
        case $prev in
        --name) : && return ;;
        --rate) : && return ;;
        --principal-rate) : && return ;;
        --operation-rate) : && return ;;
        --hsm) : && return ;;
        --hsm-label) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--name --rate --principal-rate --operation-rate --hsm --hsm-label --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'tenant list')
        case $prev in
        --page-size) : && return ;;
        --page-token) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--page-size --page-token --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'tenant show')
        case $prev in
        --tenant) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'tenant update')
        case $prev in
        --tenant) : && return ;;
        --rate) : && return ;;
        --principal-rate) : && return ;;
        --operation-rate) : && return ;;
        --hsm) : && return ;;
        --hsm-label) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --rate --principal-rate --operation-rate --suspended --hsm --hsm-label --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'tenant rotate')
        case $prev in
        --tenant) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'tenant erase')
        case $prev in
        --tenant) : && return ;;
        --principal) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --principal --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'principal create')
        case $prev in
        --tenant) : && return ;;
        --principal) : && return ;;
        --credentials) : && return ;;
        --rate) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --principal --credentials --rate --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'principal list')
        case $prev in
        --tenant) : && return ;;
        --page-size) : && return ;;
        --page-token) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --page-size --page-token --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'principal show')
        case $prev in
        --tenant) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'principal disable')
        case $prev in
        --tenant) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'principal enable')
        case $prev in
        --tenant) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'principal add-credential')
        case $prev in
        --tenant) : && return ;;
        --credential) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --credential --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'principal remove-credential')
        case $prev in
        --tenant) : && return ;;
        --id) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --id --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'principal api-key')
        case $prev in
        --tenant) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'principal put-issuer')
        case $prev in
        --tenant) : && return ;;
        --issuer) : && return ;;
        --audience) : && return ;;
        --jwks) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --issuer --audience --jwks --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'policy put')
        case $prev in
        --tenant) : && return ;;
        --effect) compgen -W 'allow deny' -- "$cur" && return ;;
        --principals) : && return ;;
        --actions) : && return ;;
        --resource-keyspace) : && return ;;
        --resource-key) : && return ;;
        --resource-tag) : && return ;;
        --conditions) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --effect --principals --actions --resource-keyspace --resource-key --resource-tag --conditions --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'policy show')
        case $prev in
        --tenant) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'policy list')
        case $prev in
        --tenant) : && return ;;
        --page-size) : && return ;;
        --page-token) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --page-size --page-token --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'policy delete')
        case $prev in
        --tenant) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'policy explain')
        case $prev in
        --tenant) : && return ;;
        --key) : && return ;;
        --keyspace) : && return ;;
        --principal) : && return ;;
        --action) : && return ;;
        --address) : && return ;;
        --time-ms) : && return ;;
        --measurement) : && return ;;
        --tier) : && return ;;
        --for-purpose) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --key --keyspace --principal --action --address --time-ms --post-quantum --measurement --tier --for-purpose --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest put-policy')
        case $prev in
        --tenant) : && return ;;
        --file) : && return ;;
        --signatures) : && return ;;
        --keys) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --file --signatures --keys --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest get-policy')
        case $prev in
        --tenant) : && return ;;
        --version) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --version --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest list-policies')
        case $prev in
        --tenant) : && return ;;
        --page-size) : && return ;;
        --page-token) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --page-size --page-token --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'attest server-challenge')
        case $prev in
        --tenant) : && return ;;
        --ek-certificate) : && return ;;
        --ak) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --ek-certificate --ak --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key create')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --type) : && return ;;
        --tags) : && return ;;
        --rotation-days) : && return ;;
        --activate-at-ms) : && return ;;
        --daily-budget) : && return ;;
        --rate) : && return ;;
        --custody) : && return ;;
        --cosigner) : && return ;;
        --release-policy) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --type --tags --exportable --rotation-days --activate-at-ms --daily-budget --rate --custody --cosigner --release-policy --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key deal')
        case $prev in
        --tenant) : && return ;;
        --type) : && return ;;
        --tags) : && return ;;
        --threshold) : && return ;;
        --participants) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --type --tags --exportable --threshold --participants --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key import')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --type) : && return ;;
        --tags) : && return ;;
        --rotation-days) : && return ;;
        --activate-at-ms) : && return ;;
        --daily-budget) : && return ;;
        --rate) : && return ;;
        --custody) : && return ;;
        --cosigner) : && return ;;
        --release-policy) : && return ;;
        --secret) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --type --tags --exportable --rotation-days --activate-at-ms --daily-budget --rate --custody --cosigner --release-policy --secret --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key import-wrapped')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --type) : && return ;;
        --tags) : && return ;;
        --rotation-days) : && return ;;
        --activate-at-ms) : && return ;;
        --daily-budget) : && return ;;
        --rate) : && return ;;
        --custody) : && return ;;
        --cosigner) : && return ;;
        --release-policy) : && return ;;
        --wrapped) : && return ;;
        --import-key) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --type --tags --exportable --rotation-days --activate-at-ms --daily-budget --rate --custody --cosigner --release-policy --wrapped --import-key --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key info')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key list')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --page-size) : && return ;;
        --page-token) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --page-size --page-token --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key update')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --tags) : && return ;;
        --rotation-days) : && return ;;
        --min-decrypt-version) : && return ;;
        --daily-budget) : && return ;;
        --rate) : && return ;;
        --cosigner) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --tags --clear-tags --rotation-days --min-decrypt-version --daily-budget --rate --cosigner --clear-cosigner --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key rotate')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key state')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --state) compgen -W 'unknown_state pre_active active suspended deactivated compromised pending_destruction destroyed' -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --state --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key destroy')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --delay-days) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --delay-days --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key restore')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key delete')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key public-key')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key attest')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key sign')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --data) : && return ;;
        --form) compgen -W 'message digest mu raw' -- "$cur" && return ;;
        --context) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --data --form --context --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key verify')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --data) : && return ;;
        --form) compgen -W 'message digest mu raw' -- "$cur" && return ;;
        --context) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --signature) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --data --form --context --purpose --approval --evidence --challenge --device-evidence --signature --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key sign-share')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --data) : && return ;;
        --commitments) : && return ;;
        --nonces) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --data --commitments --nonces --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key aggregate')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --data) : && return ;;
        --commitments) : && return ;;
        --shares) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --data --commitments --shares --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key sign-poai')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --model) : && return ;;
        --input) : && return ;;
        --output) : && return ;;
        --node) : && return ;;
        --compute-ms) : && return ;;
        --attestation) : && return ;;
        --proof) : && return ;;
        --nonce) : && return ;;
        --realm) : && return ;;
        --ttl-ms) : && return ;;
        --second-key) : && return ;;
        --second-version) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --model --input --output --node --compute-ms --attestation --proof --model-root --nonce --realm --ttl-ms --second-key --second-version --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key sign-poai-batch')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --receipts) : && return ;;
        --realm) : && return ;;
        --ttl-ms) : && return ;;
        --nonce) : && return ;;
        --second-key) : && return ;;
        --second-version) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --receipts --realm --ttl-ms --nonce --second-key --second-version --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key sign-poai-root')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --root) : && return ;;
        --count) : && return ;;
        --realm) : && return ;;
        --ttl-ms) : && return ;;
        --nonce) : && return ;;
        --second-key) : && return ;;
        --second-version) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --root --count --realm --ttl-ms --nonce --second-key --second-version --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key verify-poai')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --record) : && return ;;
        --realm) : && return ;;
        --receipt) : && return ;;
        --signed-by) compgen -W 'any_algorithm secp256k1 ml_dsa_65 both' -- "$cur" && return ;;
        --second-key) : && return ;;
        --second-version) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --record --accept --realm --receipt --signed-by --second-key --second-version --purpose --approval --evidence --challenge --device-evidence --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key sign-settlement')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --job) : && return ;;
        --provider) : && return ;;
        --consumer) : && return ;;
        --asset) : && return ;;
        --realm) : && return ;;
        --nonce) : && return ;;
        --ttl-ms) : && return ;;
        --amount) : && return ;;
        --unit) : && return ;;
        --receipt) : && return ;;
        --receipt-public-key) : && return ;;
        --receipt-second-public-key) : && return ;;
        --second-key) : && return ;;
        --second-version) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --job --provider --consumer --asset --realm --nonce --ttl-ms --amount --unit --receipt --receipt-public-key --receipt-second-public-key --second-key --second-version --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key verify-settlement')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --record) : && return ;;
        --realm) : && return ;;
        --receipt) : && return ;;
        --signed-by) compgen -W 'any_algorithm secp256k1 ml_dsa_65 both' -- "$cur" && return ;;
        --second-key) : && return ;;
        --second-version) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --record --accept --realm --receipt --signed-by --second-key --second-version --purpose --approval --evidence --challenge --device-evidence --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key encrypt')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --plaintext) : && return ;;
        --aad) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --plaintext --aad --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key decrypt')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --ciphertext) : && return ;;
        --aad) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --ciphertext --aad --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key encapsulate')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key decapsulate')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --ciphertext) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --ciphertext --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key data-key')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --bytes) : && return ;;
        --aad) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --bytes --sealed-only --aad --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key wrap')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --plain) : && return ;;
        --aad) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --plain --aad --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key unwrap')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --wrapped) : && return ;;
        --aad) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --wrapped --aad --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key rewrap')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --wrapped) : && return ;;
        --aad) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --wrapped --aad --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key mac')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --data) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --data --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key verify-mac')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --data) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --mac) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --data --purpose --approval --evidence --challenge --device-evidence --mac --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key random')
        case $prev in
        --tenant) : && return ;;
        --bytes) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --bytes --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key export')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --recipient) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --recipient --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'key release')
        case $prev in
        --tenant) : && return ;;
        --keyspace) : && return ;;
        --version) : && return ;;
        --wrapped) : && return ;;
        --digest) : && return ;;
        --aad) : && return ;;
        --attested-key) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --keyspace --version --wrapped --digest --aad --attested-key --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'model keyspace')
        case $prev in
        --tenant) : && return ;;
        --model) : && return ;;
        --type) : && return ;;
        --daily-budget) : && return ;;
        --rotation-days) : && return ;;
        --release-policy) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --model --type --daily-budget --rotation-days --release-policy --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'model wrap')
        case $prev in
        --tenant) : && return ;;
        --content-key) : && return ;;
        --digest) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --content-key --digest --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'model unwrap')
        case $prev in
        --tenant) : && return ;;
        --wrapped) : && return ;;
        --digest) : && return ;;
        --purpose) : && return ;;
        --approval) : && return ;;
        --evidence) : && return ;;
        --challenge) : && return ;;
        --device-evidence) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --wrapped --digest --purpose --approval --evidence --challenge --device-evidence --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'approval request')
        case $prev in
        --tenant) : && return ;;
        --key) : && return ;;
        --keyspace) : && return ;;
        --action) : && return ;;
        --reason) : && return ;;
        --uses) : && return ;;
        --seconds) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --key --keyspace --action --reason --uses --seconds --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'approval approve')
        case $prev in
        --tenant) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'approval show')
        case $prev in
        --tenant) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'approval list')
        case $prev in
        --tenant) : && return ;;
        --page-size) : && return ;;
        --page-token) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --page-size --page-token --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'audit checkpoint')
        case $prev in
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--verbose --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'audit receipt')
        case $prev in
        --tenant) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --out -o --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'audit list')
        case $prev in
        --tenant) : && return ;;
        --from) : && return ;;
        --count) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--tenant --from --count --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'system rotate-root')
        case $prev in
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--verbose --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'hsm set-weight')
        case $prev in
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'hsm migrate')
        case $prev in
        --from) : && return ;;
        --to) : && return ;;
        --pause-seconds) : && return ;;
        --approval) : && return ;;
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--from --to --pause-seconds --approval --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'hsm migration')
        case $prev in
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--verbose --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'system status')
        case $prev in
        --server) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--verbose --server --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    esac
}

_casemate() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb= i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} != -* ]] || continue
        verb=${COMP_WORDS[i]}
        case $verb in
        key | cert | config | tenant | principal | policy | approval | model | audit | system | attest | enclave | hsm | poai | settle | store) ((i + 1 >= COMP_CWORD)) || verb+=" ${COMP_WORDS[i + 1]}" ;;
        esac
        break
    done
    local IFS=$'\n'
    COMPREPLY=($(_casemate_words "$cur" "$prev" "$verb"))
}

complete -o filenames -F _casemate casemate
