/* The table: connections. */
#include "net.h"
#include "options.h"

static const cm_cli_option doctor_options[] = {
    OPT_NET,
    ARG(0, "timeout", "SECONDS", "for each step", "5"),
    FLAG(0, "clients", "say which clients and versions get through to a post-quantum port"),
};

static const cm_cli_option proxy_options[] = {
    ARG(0, "listen", "ADDRESS", "127.0.0.1:PORT, [::1]:PORT or unix:/PATH; port 0: any free one",
        "127.0.0.1:8440"),
    ARG(0, "to", "URL", "https://HOST:PORT of the server", NULL),
    OPT_NET,
    ARG(0, "connections", "N", "at once; more wait", "256"),
    ARG(0, "idle", "SECONDS", "end a connection on which nothing moves for so long", "600"),
    FLAG(0, "allow-remote",
         "listen on an address that others reach: they speak in your name, in cleartext"),
};

static const cm_cli_argument url_arg[] = {
    {"URL", "https://HOST[:PORT], or unix:/PATH of an admin socket", CM_CLI_ANY, 0, 1},
};

static const cm_cli_example doctor_examples[] = {
    {"casemate doctor https://kms.example:8443 --ca ca.crt", "every step, and what to do"},
    {"casemate doctor --clients", "why curl, grpcio, Go or Node don't connect"},
};
static const cm_cli_example proxy_examples[] = {
    {"casemate proxy --to https://kms.example:8443 --ca ca.crt",
     "then `curl http://127.0.0.1:8440/readyz`, or an insecure gRPC channel to 127.0.0.1:8440"},
};

static const cm_cli_argument admin_arg[] = {
    {"URL", "unix:/PATH of the admin socket, or http://HOST:PORT of the metrics listener",
     CM_CLI_ANY, 0, 1},
};

static const cm_cli_option top_options[] = {
    FILE_ARG(0, "server", "FILE", "the profile of the server to watch",
             "$CASEMATE_SERVER, or server.json of the home"),
    ARG(0, "interval", "SECONDS", "time between two pictures", "1"),
    FLAG(0, "once", "one picture, of one interval; so it is where stdout is no terminal"),
};

static const cm_cli_example top_examples[] = {
    {"casemate top", "the server of $CASEMATE_SERVER, on this machine"},
    {"casemate top --json --interval 10 http://10.0.0.7:9090",
     "a line for each operation, forever"},
};

static const cm_cli_command commands[] = {
    {
        .name = "doctor",
        .summary = "find out why a client can't connect to a server",
        .text = "Looks up the name, connects, agrees on a key exchange, reads the certificates, "
                "tries the protocols, asks for the server's health and compares clocks; says what "
                "works, what does not, and what to do about it. Fails with the first thing that is "
                "wrong.",
        .options = TABLE(doctor_options),
        .args = TABLE(url_arg),
        .examples = TABLE(doctor_examples),
        .see = "proxy",
        .run = cm_cli_doctor,
    },
    {
        .name = "proxy",
        .summary = "give clients without post-quantum TLS a connection that has it",
        .text = "Takes plain connections on a loopback address and relays their bytes through TLS "
                "with a post-quantum key exchange, with a client certificate if one is given. "
                "HTTP/1.1, and HTTP/2 with prior knowledge (insecure gRPC channels), arrive as "
                "what they are. Whoever may connect to the address speaks in your name: on a "
                "machine with other users, listen on unix:/PATH.",
        .options = TABLE(proxy_options),
        .examples = TABLE(proxy_examples),
        .see = "doctor",
        .run = cm_cli_proxy,
    },
    {
        .name = "top",
        .summary = "watch what a server is doing",
        .text = "Operations by their number, with errors and latencies; connections, handshakes "
                "and what was refused; memory. All of it comes from the server's metrics, which "
                "its admin socket shows: by default admin.sock beside the profile, where "
                "`casemate serve` has it. Latencies are upper bounds, as fine as the buckets of "
                "the metrics.",
        .options = TABLE(top_options),
        .args = TABLE(admin_arg),
        .examples = TABLE(top_examples),
        .see = "doctor serve",
        .run = cm_cli_top,
    },
};

const cm_cli_commands cm_cli_net_commands = {TABLE(commands)};
