/* casemate hsm status without a module: the devices behind a running server's root. */
#include "hsm_set.h"

#include "admin.h"

enum { NAME = 64 };

static uint64_t number(const cm_json_node *x, const char *name)
{
    const cm_json_node *n = cm_json_get(x, name);
    uint64_t v = 0;

    return n && cm_ok(cm_json_u64(n, &v)) ? v : 0;
}

static const char *text(char out[NAME], const cm_json_node *x, const char *name)
{
    const cm_json_node *n = cm_json_get(x, name);
    cm_view v;

    if (!n || cm_failed(cm_json_string(n, &v)) || v.n == 0)
        return "-";
    return cm_cli_clean(out, NAME, v);
}

static void row(cm_cli *cli, const cm_json_node *x)
{
    static const char *const texts[] = {"name",  "region", "state",  "custody",
                                        "token", "serial", "module", "module_sha256"};
    static const char *const numbers[] = {"weight",   "takes_permille", "requests",
                                          "failures", "failed_in_row",  "microseconds"};
    char a[NAME], b[NAME], c[NAME], d[NAME];
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "hsm-device");
    for (size_t i = 0; i < CM_COUNT(texts); i++) {
        cm_view v;

        if (cm_json_get(x, texts[i]) && cm_ok(cm_json_string(cm_json_get(x, texts[i]), &v)))
            cm_json_put_text(&e.w, texts[i], v);
    }
    for (size_t i = 0; i < CM_COUNT(numbers); i++)
        cm_json_put_u64(&e.w, numbers[i], number(x, numbers[i]));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%-16s %-12s %6llu %5llu%% %10llu %8llu %6llu %8llu  %-12s %s\n",
               text(a, x, "name"), text(b, x, "state"), (unsigned long long)number(x, "weight"),
               (unsigned long long)number(x, "takes_permille") / 10,
               (unsigned long long)number(x, "requests"), (unsigned long long)number(x, "failures"),
               (unsigned long long)number(x, "failed_in_row"),
               (unsigned long long)number(x, "microseconds"), text(c, x, "custody"),
               text(d, x, "token"));
}

cm_err cm_cli_hsm_set_status(cm_cli *cli)
{
    CM_AUTO(cm_client_answer_free) cm_client_answer got = {0};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    CM_AUTO(cm_cli_admin_done) cm_cli_admin a = {0};
    bool any = false;

    CM_TRY(cm_cli_admin_open(cli, &a));
    CM_TRY(cm_cli_admin_call(&a, &got, "GET", CM_LIT("/admin/devices"), (cm_view){0}));
    CM_TRY(cm_json_parse(&j, cm_buf_view(&got.body), NULL, NULL));
    for (const cm_json_node *x = cm_json_first(cm_json_root(j)); x; x = cm_json_next(x)) {
        if (!any)
            cm_cli_say(cli, "%-16s %-12s %6s %6s %10s %8s %6s %8s  %-12s %s\n", "device", "state",
                       "weight", "takes", "requests", "failures", "in row", "\302\265s", " custody",
                       "token");
        any = true;
        row(cli, x);
    }
    if (!any)
        cm_cli_say(cli, "No devices: hsm.providers of the server's configuration names none.\n");
    return CM_OKAY;
}
