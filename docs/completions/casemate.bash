# Completion of casemate for bash, made by casemate help --completions.

_casemate_words() {
    local cur=$1 prev=$2 verb=$3 IFS=$' \t\n'
    case $verb in
    '') compgen -W 'seal open cat exec inspect verify rewrap sign upgrade digest doctor proxy init version help key cert audit' -- "$cur" ;;
    key) compgen -W 'new show public passwd fingerprint' -- "$cur" ;;
    cert) compgen -W 'root intermediate server client request sign show verify' -- "$cur" ;;
    audit) compgen -W 'verify prove export tail witness key' -- "$cur" ;;
    'seal')
        case $prev in
        --to | -r) compgen -f -- "$cur" && return ;;
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
        [[ $cur != -* ]] || compgen -W '--to -r --passphrase --passphrase-file --passphrase-fd --sign --key-passphrase-file --key-passphrase-fd --unsigned --output -o --tier --name --model-version --licence --publisher --provenance --policy --private-digest --keyless-verify --segment-size --room --allow-classical --threads --force --no-resume --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'open')
        case $prev in
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
        [[ $cur != -* ]] || compgen -W '--identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --output -o --stream-unverified --threads --force --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'cat')
        case $prev in
        --tensor) : && return ;;
        --file) : && return ;;
        --range) : && return ;;
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
        [[ $cur != -* ]] || compgen -W '--tensor --file --range --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --output -o --threads --force --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'exec')
        case $prev in
        --model) compgen -f -- "$cur" && return ;;
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        --threads) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--model --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --threads --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'inspect')
        case $prev in
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --tensors --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'verify')
        case $prev in
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        --from) compgen -f -- "$cur" && return ;;
        --signature) compgen -f -- "$cur" && return ;;
        --threads) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --threads --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'rewrap')
        case $prev in
        --add) compgen -f -- "$cur" && return ;;
        --add-passphrase-file) compgen -f -- "$cur" && return ;;
        --add-passphrase-fd) : && return ;;
        --remove) compgen -f -- "$cur" && return ;;
        --only) compgen -f -- "$cur" && return ;;
        --identity | -i) compgen -f -- "$cur" && return ;;
        --passphrase-file) compgen -f -- "$cur" && return ;;
        --passphrase-fd) : && return ;;
        --key-passphrase-file) compgen -f -- "$cur" && return ;;
        --key-passphrase-fd) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--add --add-passphrase --add-passphrase-file --add-passphrase-fd --remove --only --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --json --quiet -q --fips --help -h' -- "$cur"
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
        [[ $cur != -* ]] || compgen -W '--to -r --to-passphrase --to-passphrase-file --to-passphrase-fd --sign --identity -i --passphrase --passphrase-file --passphrase-fd --key-passphrase-file --key-passphrase-fd --allow-classical --from --any-publisher --unsigned --signature --output -o --tier --name --model-version --licence --publisher --policy --private-digest --keyless-verify --segment-size --threads --force --json --quiet -q --fips --help -h' -- "$cur"
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
        esac
        [[ $cur != -* ]] || compgen -W '--key -k --witness -w --quorum --since --entry --origin --store --json --quiet -q --fips --help -h' -- "$cur"
        [[ $cur == -* ]] || compgen -f -- "$cur"
        ;;
    'audit prove')
        case $prev in
        --store) compgen -f -- "$cur" && return ;;
        --since-size) : && return ;;
        --out | -o) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --since-size --out -o --force --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'audit export')
        case $prev in
        --store) compgen -f -- "$cur" && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --json --quiet -q --fips --help -h' -- "$cur"
        ;;
    'audit tail')
        case $prev in
        --store) compgen -f -- "$cur" && return ;;
        --lines | -n) : && return ;;
        esac
        [[ $cur != -* ]] || compgen -W '--store --lines -n --json --quiet -q --fips --help -h' -- "$cur"
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
    help) compgen -W '--man --completions --markdown seal open cat exec inspect verify rewrap sign upgrade digest doctor proxy init version help key cert audit' -- "$cur" ;;
    esac
}

_casemate() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb= i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} != -* ]] || continue
        verb=${COMP_WORDS[i]}
        case $verb in
        key | cert | audit) ((i + 1 >= COMP_CWORD)) || verb+=" ${COMP_WORDS[i + 1]}" ;;
        esac
        break
    done
    local IFS=$'\n'
    COMPREPLY=($(_casemate_words "$cur" "$prev" "$verb"))
}

complete -o filenames -F _casemate casemate
