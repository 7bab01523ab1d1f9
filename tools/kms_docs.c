/* Writes docs/openapi.json, docs/kms.proto and docs/kms-api.md from the operation table. */
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "keys/types.h"
#include "svc/messages.h"
#include "svc/ops.h"

enum { MESSAGES = 256 };

/* ---- all messages of the interface, each once ---- */

static cm_err messages(const cm_message **list, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < cm_ops_n; i++) {
        CM_TRY(cm_msg_collect(list, n, MESSAGES, cm_ops[i].request));
        CM_TRY(cm_msg_collect(list, n, MESSAGES, cm_ops[i].answer));
    }
    return CM_OKAY;
}

/* ---- OpenAPI ---- */

static void parameters(cm_json_writer *w, const cm_op *op)
{
    cm_json_begin_array(w, "parameters");
    for (size_t i = 0; i < op->request->n; i++) {
        const cm_field *f = &op->request->fields[i];

        if (!(f->flags & (CM_FF_PATH | CM_FF_QUERY)))
            continue;
        cm_json_begin_object(w, NULL);
        cm_json_put_text(w, "name", cm_view_str(f->name));
        cm_json_put_text(w, "in", cm_view_str(f->flags & CM_FF_PATH ? "path" : "query"));
        cm_json_put_bool(w, "required", (f->flags & CM_FF_PATH) != 0);
        cm_json_put_text(w, "description", cm_view_str(f->doc));
        cm_json_put_key(w, CM_LIT("schema"));
        cm_msg_describe_field_openapi(w, f);
        cm_json_end_object(w);
    }
    cm_json_end_array(w);
}

static void content(cm_json_writer *w, const char *message)
{
    char ref[128];

    (void)snprintf(ref, sizeof ref, "#/components/schemas/%s", message);
    cm_json_begin_object(w, "content");
    cm_json_begin_object(w, "application/json");
    cm_json_begin_object(w, "schema");
    cm_json_put_text(w, "$ref", cm_view_str(ref));
    cm_json_end_object(w);
    cm_json_end_object(w);
    cm_json_end_object(w);
}

static bool has_body(const cm_op *op)
{
    for (size_t i = 0; i < op->request->n; i++)
        if (!(op->request->fields[i].flags & (CM_FF_PATH | CM_FF_QUERY)))
            return strcmp(op->method, "GET") != 0;
    return false;
}

static void operation(cm_json_writer *w, const cm_op *op)
{
    char method[8];
    size_t n = strlen(op->method);

    for (size_t i = 0; i <= n; i++)
        method[i] = (char)(op->method[i] >= 'A' && op->method[i] <= 'Z' ? op->method[i] + 32
                                                                        : op->method[i]);
    cm_json_begin_object(w, method);
    cm_json_put_text(w, "operationId", cm_view_str(op->name));
    cm_json_put_text(w, "description", cm_view_str(op->doc));
    parameters(w, op);
    if (has_body(op)) {
        cm_json_begin_object(w, "requestBody");
        content(w, op->request->name);
        cm_json_end_object(w);
    }
    cm_json_begin_object(w, "responses");
    cm_json_begin_object(w, "200");
    cm_json_put_text(w, "description", CM_LIT("Done."));
    content(w, op->answer->name);
    cm_json_end_object(w);
    cm_json_begin_object(w, "default");
    cm_json_put_text(w, "description", CM_LIT("Refused or failed, with the reason."));
    cm_json_end_object(w);
    cm_json_end_object(w);
    cm_json_end_object(w);
}

static bool first_of_route(size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(cm_ops[i].route, cm_ops[at].route) == 0)
            return false;
    return true;
}

static cm_err openapi(cm_buf *out)
{
    static const cm_message *list[MESSAGES];
    cm_json_writer w = {.out = out};
    size_t n;

    CM_TRY(messages(list, &n));
    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "openapi", CM_LIT("3.1.0"));
    cm_json_begin_object(&w, "info");
    cm_json_put_text(&w, "title", CM_LIT("Casemate KMS"));
    cm_json_put_text(&w, "version", CM_LIT("v1"));
    cm_json_end_object(&w);
    cm_json_begin_object(&w, "paths");
    for (size_t i = 0; i < cm_ops_n; i++) {
        if (!first_of_route(i) || strncmp(cm_ops[i].route, "/v1/", 4) != 0)
            continue;
        cm_json_begin_object(&w, cm_ops[i].route);
        for (size_t j = i; j < cm_ops_n; j++)
            if (strcmp(cm_ops[i].route, cm_ops[j].route) == 0)
                operation(&w, &cm_ops[j]);
        cm_json_end_object(&w);
    }
    cm_json_end_object(&w);
    cm_json_begin_object(&w, "components");
    cm_json_begin_object(&w, "schemas");
    for (size_t i = 0; i < n; i++) {
        cm_json_put_key(&w, cm_view_str(list[i]->name));
        cm_msg_describe_openapi(&w, list[i]);
    }
    cm_json_end_object(&w);
    cm_json_end_object(&w);
    cm_json_end_object(&w);
    CM_TRY(cm_json_finish(&w));
    return cm_buf_byte(out, '\n');
}

/* ---- .proto ---- */

static cm_err put(cm_buf *out, const char *text)
{
    return cm_buf_append(out, cm_view_str(text));
}

static cm_err rpc(cm_buf *out, const cm_op *op)
{
    char line[512];

    (void)snprintf(line, sizeof line, "  // %s %s\n  rpc %s(%s) returns (%s%s);\n", op->method,
                   op->route, op->name, op->request->name, op->streams ? "stream " : "",
                   op->answer->name);
    return put(out, line);
}

static cm_err proto(cm_buf *out)
{
    static const cm_message *list[MESSAGES];
    size_t n;

    CM_TRY(messages(list, &n));
    CM_TRY(put(out, "// Written by ./do docs from the operation table.\n"
                    "syntax = \"proto3\";\npackage casemate.kms.v1;\n\nservice Kms {\n"));
    for (size_t i = 0; i < cm_ops_n; i++)
        CM_TRY(rpc(out, &cm_ops[i]));
    CM_TRY(put(out, "}\n"));
    for (size_t i = 0; i < n; i++) {
        CM_TRY(put(out, "\n"));
        CM_TRY(cm_msg_describe_proto(out, list[i]));
    }
    return CM_OKAY;
}

/* ---- reference ---- */

static const char *auth_text(cm_auth a)
{
    static const char *const names[] = {"nobody asks", "evidence", "any", "full signature"};

    return (size_t)a < CM_COUNT(names) ? names[a] : "";
}

static const char *leaf_text(cm_leaf_class a)
{
    return a == CM_LEAF_OFF ? "none" : a == CM_LEAF_RECEIPT ? "leaf, with receipt" : "leaf";
}

static const char *type_text(const cm_field *f)
{
    static const char *const names[] = {"text", "bytes (base64)", "number", "true/false", "word"};

    return f->type == CM_F_MSG ? f->message->name : names[f->type];
}

static cm_err fields(cm_buf *out, const cm_message *m)
{
    char line[1024];

    CM_TRY(put(out, "| field | type | what |\n|---|---|---|\n"));
    for (size_t i = 0; i < m->n; i++) {
        const cm_field *f = &m->fields[i];

        (void)snprintf(line, sizeof line, "| `%s`%s | %s%s%s | %s |\n", f->name,
                       f->flags & CM_FF_REQUIRED ? " *" : "",
                       f->flags & CM_FF_REPEATED ? "list of " : "", type_text(f),
                       f->flags & CM_FF_PATH    ? ", path"
                       : f->flags & CM_FF_QUERY ? ", query"
                                                : "",
                       f->doc);
        CM_TRY(put(out, line));
    }
    return put(out, "\n");
}

static cm_err key_types(cm_buf *out)
{
    char line[256];

    CM_TRY(put(out, "## Types of keys\n\n| type | signs | KEM | encrypts | MAC | threshold | "
                    "post-quantum |\n|---|---|---|---|---|---|---|\n"));
    for (uint32_t t = 1; t < CM_KEY_TYPE_END; t++) {
        const cm_key_type_info *i = cm_key_type_of(t);

        if (!i)
            continue;
        (void)snprintf(line, sizeof line, "| %s | %s | %s | %s | %s | %s | %s |\n", i->name,
                       i->can & CAN_SIGN ? "yes" : "", i->can & CAN_KEM ? "yes" : "",
                       i->can & CAN_ENCRYPT ? "yes" : "", i->can & CAN_MAC ? "yes" : "",
                       i->can & CAN_THRESHOLD ? "yes" : "", i->post_quantum ? "yes" : "");
        CM_TRY(put(out, line));
    }
    return put(out, "\n");
}

/* How another specification's client calls map to operations. */
static cm_err lp325(cm_buf *out)
{
    static const struct {
        const char *call, *here;
    } map[] = {
        {"Sign(key, msg)", "`Sign`"},
        {"SignBLS", "`Sign` with a BLS12-381 key: refused as unsupported in this build"},
        {"SignThreshold(msg, threshold)",
         "`SignThreshold` twice by each of `threshold` holders, then `AggregateThreshold` "
         "(spec/frost.md)"},
        {"GenerateKey(alg)", "`CreateKey`; threshold keys: `DealThreshold`"},
        {"ImportKey", "`ImportKey`"},
        {"DeleteKey", "`ScheduleDestruction`, and `DeleteKey` once it is destroyed"},
        {"ExportWrapped(key, wrapKey)", "`ExportWrapped`, to an ML-KEM or X-Wing public key"},
        {"ImportWrapped", "`ImportWrapped`, with a KEM key of the same keyspace"},
        {"HealthCheck", "`Health`; `GET /readyz` on the admin socket"},
        {"GetMetrics", "`GET /metrics` on the admin socket"},
        {"Verify", "`Verify`"},
    };
    char line[512];

    CM_TRY(put(out, "| LP-325 | here |\n|---|---|\n"));
    for (size_t i = 0; i < CM_COUNT(map); i++) {
        (void)snprintf(line, sizeof line, "| %s | %s |\n", map[i].call, map[i].here);
        CM_TRY(put(out, line));
    }
    return put(out, "\nIts algorithms: BLS12_381 is `BLS12-381`, ECDSA_secp256k1 `secp256k1`, "
                    "ECDSA_secp256r1 `P-256`, Ed25519 `Ed25519`, ML_DSA_65 `ML-DSA-65`, RSA_2048 "
                    "and RSA_4096 `RSA-2048` and `RSA-4096`.\n\n");
}

static cm_err reference(cm_buf *out)
{
    static const cm_message *list[MESSAGES];
    char line[2048];
    size_t n;

    CM_TRY(messages(list, &n));
    CM_TRY(put(out, "# The KMS interface\n\nWritten by `./do docs` from the operation table. REST "
                    "is JSON over HTTP; gRPC is the same messages (docs/kms.proto). A field with * "
                    "is required. Rules: spec/kms.md; signatures: spec/wire-auth.md.\n\n"
                    "## LP-325\n\nIts client calls, and Verify, which its tests call:\n\n"));
    CM_TRY(lp325(out));
    CM_TRY(key_types(out));
    for (size_t i = 0; i < cm_ops_n; i++) {
        const cm_op *o = &cm_ops[i];

        (void)snprintf(line, sizeof line,
                       "## %s\n\n`%s %s`%s%s%s\n\n%s\n\nPermission `%s`; proof of who asks: %s; "
                       "log: %s; cost %u; answers `%s`.\n\n",
                       o->name, o->method, o->route, o->verb ? ", `casemate " : "",
                       o->verb ? o->verb : "", o->verb ? "`" : "", o->doc, cm_perm_name(o->perm),
                       auth_text(o->auth), leaf_text(o->audit), o->cost, o->answer->name);
        CM_TRY(put(out, line));
        CM_TRY(fields(out, o->request));
    }
    CM_TRY(put(out, "## Messages\n\n"));
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(line, sizeof line, "### %s\n\n%s\n\n", list[i]->name, list[i]->doc);
        CM_TRY(put(out, line));
        CM_TRY(fields(out, list[i]));
    }
    out->n--; /* one line end at the end */
    return CM_OKAY;
}

static cm_err write_file(const char *folder, const char *name, cm_err (*make)(cm_buf *out))
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4 << 20};
    char path[1024];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    CM_TRY(make(&b));
    return cm_os_spit(path, cm_buf_view(&b), 0644, true);
}

int main(int argc, char **argv)
{
    cm_err e;

    if (argc != 2) {
        (void)fputs("usage: kms-docs FOLDER\n", stderr);
        return 2;
    }
    e = write_file(argv[1], "openapi.json", openapi);
    if (cm_ok(e))
        e = write_file(argv[1], "kms.proto", proto);
    if (cm_ok(e))
        e = write_file(argv[1], "kms-api.md", reference);
    if (cm_failed(e))
        (void)fprintf(stderr, "kms-docs: %s\n", cm_err_what(e));
    return cm_failed(e);
}
