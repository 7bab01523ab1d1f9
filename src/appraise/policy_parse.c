/* The keys of a policy file. Each object has one table of what may stand in it; an unknown key is
 * an error (AP-2), so a misspelt demand is never a missing one. */
#include "appraise/policy_int.h"
#include "codec/text.h"

enum {
    FORMAT = 1,
    NAME_LEN = 200,
    HEX_LEN = 2048,
    MEASUREMENTS = 256,
    CHIPS = 4096,
    DAY = 86400,
    PCRS = 24
};

typedef cm_err (*taker)(cm_policy_parse *s, const cm_json_node *n, void *into);

typedef struct {
    const char *key;
    taker take;
    bool required;
} member;

static cm_err take_members(cm_policy_parse *s, const cm_json_node *n, const member *m, size_t count,
                           void *into)
{
    if (cm_json_type_of(n) != CM_JSON_OBJECT)
        return cm_policy_wrong(s, n, "keys and values belong here");
    for (const cm_json_node *v = cm_json_first(n); v; v = cm_json_next(v)) {
        size_t i = 0;

        while (i < count && !cm_view_eq(cm_json_key(v), cm_view_str(m[i].key)))
            i++;
        if (i == count)
            return cm_policy_wrong(s, v, "there is no such key here");
        CM_TRY(m[i].take(s, v, into));
    }
    for (size_t i = 0; i < count; i++)
        if (m[i].required && !cm_json_get(n, m[i].key))
            return cm_policy_missing(s, n, m[i].key);
    return CM_OKAY;
}

/* ---- values -------------------------------------------------------------------------------- */

static cm_err text_of(cm_policy_parse *s, const cm_json_node *n, const char **out)
{
    char *copy = NULL;
    cm_view v;

    if (cm_failed(cm_json_string(n, &v)) || v.n == 0 || v.n > NAME_LEN || memchr(v.p, 0, v.n))
        return cm_policy_wrong(s, n, "a text of 1 to 200 bytes belongs here");
    CM_TRY(cm_policy_get(s->p, &copy, v.n + 1, 1));
    memcpy(copy, v.p, v.n);
    *out = copy;
    return CM_OKAY;
}

/* Digits alone are a number in YAML, and hex all the same. */
static cm_err hex_of(cm_policy_parse *s, const cm_json_node *n, size_t min, size_t max,
                     cm_view *out)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = HEX_LEN / 2};
    uint8_t *copy = NULL;
    cm_view v;

    if ((cm_failed(cm_json_string(n, &v)) && cm_failed(cm_json_number(n, &v))) || v.n > HEX_LEN ||
        cm_failed(cm_hex_decode(&b, v)) || b.n < min || b.n > max)
        return cm_policy_wrong(s, n, "bytes in hex, of the length that it has, belong here");
    CM_TRY(cm_policy_get(s->p, &copy, b.n, 1));
    memcpy(copy, b.p, b.n);
    *out = cm_view_of(copy, b.n);
    return CM_OKAY;
}

static cm_err number_of(cm_policy_parse *s, const cm_json_node *n, uint64_t max, uint64_t *out)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 8};
    uint64_t v = 0;
    cm_view text;

    if (cm_failed(cm_json_u64(n, &v))) {
        if (cm_failed(cm_json_string(n, &text)) || text.n < 4 || text.n % 2 || text.p[0] != '0' ||
            text.p[1] != 'x' || cm_failed(cm_hex_decode(&b, cm_view_sub(text, 2, text.n - 2))))
            return cm_policy_wrong(s, n, "a whole number belongs here, or 0x and pairs of digits");
        for (size_t i = 0; i < b.n; i++)
            v = v << 8 | b.p[i];
    }
    if (v > max)
        return cm_policy_wrong(s, n, "the number is too large");
    *out = v;
    return CM_OKAY;
}

static uint64_t digits(cm_view v, size_t at, size_t n)
{
    uint64_t d = 0;

    for (size_t i = at; i < at + n; i++)
        d = d * 10 + (uint64_t)(v.p[i] - '0');
    return d;
}

static bool dated(cm_view v)
{
    static const char form[] = "0000-00-00T00:00:00Z";

    if (v.n != sizeof form - 1 && v.n != 10)
        return false;
    for (size_t i = 0; i < v.n; i++)
        if (form[i] == '0' ? v.p[i] < '0' || v.p[i] > '9' : v.p[i] != (uint8_t)form[i])
            return false;
    return true;
}

static unsigned days_in(uint64_t y, uint64_t m)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);

    return days[m - 1] + (m == 2 && leap ? 1u : 0u);
}

/* Seconds since 1970 of a date, or of a date and a time in UTC. */
static bool seconds_of(cm_view v, uint64_t *out)
{
    uint64_t y, m, d, h = 0, min = 0, sec = 0, days = 0;

    if (!dated(v))
        return false;
    y = digits(v, 0, 4);
    m = digits(v, 5, 2);
    d = digits(v, 8, 2);
    if (v.n > 10) {
        h = digits(v, 11, 2);
        min = digits(v, 14, 2);
        sec = digits(v, 17, 2);
    }
    if (y < 1970 || m < 1 || m > 12 || d < 1 || d > days_in(y, m) || h > 23 || min > 59 || sec > 59)
        return false;
    for (uint64_t i = 1970; i < y; i++)
        days += 337u + days_in(i, 2);
    for (uint64_t i = 1; i < m; i++)
        days += days_in(y, i);
    *out = (days + d - 1) * DAY + h * 3600 + min * 60 + sec;
    return true;
}

static cm_err time_of(cm_policy_parse *s, const cm_json_node *n, uint64_t *out)
{
    cm_view v;

    if (cm_failed(cm_json_string(n, &v)) || !seconds_of(v, out) || *out == 0)
        return cm_policy_wrong(s, n,
                               "a date in UTC belongs here, as 2027-01-31 or "
                               "2027-01-31T12:00:00Z");
    return CM_OKAY;
}

static cm_err word_of(cm_policy_parse *s, const cm_json_node *n, const char *yes, const char *no,
                      bool *out)
{
    cm_view v;
    bool is_yes;

    if (cm_failed(cm_json_string(n, &v)))
        return cm_policy_wrong(s, n, "one of two words belongs here");
    is_yes = cm_view_eq(v, cm_view_str(yes));
    if (!is_yes && !cm_view_eq(v, cm_view_str(no)))
        return cm_policy_wrong(s, n, "it is none of the words that may stand here");
    *out = is_yes;
    return CM_OKAY;
}

/* ---- a measurement ------------------------------------------------------------------------- */

static cm_err m_value(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return hex_of(s, n, 20, 64, &((cm_policy_measurement *)into)->value);
}

static cm_err m_name(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return text_of(s, n, &((cm_policy_measurement *)into)->name);
}

static cm_err m_provenance(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return text_of(s, n, &((cm_policy_measurement *)into)->provenance);
}

static cm_err m_until(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return time_of(s, n, &((cm_policy_measurement *)into)->until);
}

static const member measurement_members[] = {
    {"value", m_value, true},
    {"name", m_name, true},
    {"provenance", m_provenance, true}, /* AP-5 */
    {"until", m_until, false},
};

/* ---- a rule -------------------------------------------------------------------------------- */

static cm_err r_measurements(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_policy_rule *r = into;
    cm_view word;

    if (cm_ok(cm_json_string(n, &word)) && cm_view_eq(word, CM_LIT("any"))) {
        r->any_measurement = true;
        return CM_OKAY;
    }
    if (cm_ok(cm_json_string(n, &word)) && cm_view_eq(word, CM_LIT("reference"))) {
        r->by_reference = true;
        return CM_OKAY;
    }
    if (cm_json_type_of(n) != CM_JSON_ARRAY || cm_json_size(n) == 0 ||
        cm_json_size(n) > MEASUREMENTS)
        return cm_policy_wrong(s, n,
                               "a list of 1 to 256 measurements, or the word any or reference");
    CM_TRY(cm_policy_get(s->p, &r->measurement, cm_json_size(n), sizeof *r->measurement));
    for (const cm_json_node *v = cm_json_first(n); v; v = cm_json_next(v))
        CM_TRY(take_members(s, v, measurement_members, CM_COUNT(measurement_members),
                            &r->measurement[r->n_measurements++]));
    return CM_OKAY;
}

static cm_err r_chips(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_policy_rule *r = into;

    if (cm_json_type_of(n) != CM_JSON_ARRAY || cm_json_size(n) == 0 || cm_json_size(n) > CHIPS)
        return cm_policy_wrong(s, n, "a list of 1 to 4096 chip ids belongs here");
    CM_TRY(cm_policy_get(s->p, &r->chip, cm_json_size(n), sizeof *r->chip));
    for (const cm_json_node *v = cm_json_first(n); v; v = cm_json_next(v))
        CM_TRY(hex_of(s, v, 8, 128, &r->chip[r->n_chips++]));
    return CM_OKAY;
}

static cm_err component(cm_policy_parse *s, const cm_json_node *n, cm_snp_tcb *t)
{
    static const char *const names[] = {"fmc", "bl", "tee", "snp", "ucode"};
    uint8_t *const at[] = {&t->fmc, &t->bl, &t->tee, &t->snp, &t->ucode};
    uint64_t v = 0;

    for (size_t i = 0; i < CM_COUNT(names); i++)
        if (cm_view_eq(cm_json_key(n), cm_view_str(names[i]))) {
            CM_TRY(number_of(s, n, UINT8_MAX, &v));
            *at[i] = (uint8_t)v;
            return CM_OKAY;
        }
    return cm_policy_wrong(s, n, "the components are fmc, bl, tee, snp and ucode");
}

static cm_err r_floor(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_policy_rule *r = into;

    if (cm_json_type_of(n) != CM_JSON_OBJECT || cm_json_size(n) == 0)
        return cm_policy_wrong(s, n, "components and their least versions belong here");
    for (const cm_json_node *v = cm_json_first(n); v; v = cm_json_next(v))
        CM_TRY(component(s, v, &r->demand.snp.floor));
    r->demand.snp.has_floor = true;
    return CM_OKAY;
}

static cm_err r_config(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return hex_of(s, n, 1, 512, &((cm_policy_rule *)into)->demand.config);
}

static cm_err flag(cm_policy_parse *s, const cm_json_node *n, cm_policy_rule *r, unsigned bit)
{
    bool allowed = false;

    CM_TRY(word_of(s, n, "allowed", "forbidden", &allowed));
    r->demand.flags |= allowed ? bit : 0;
    return CM_OKAY;
}

static cm_err r_debug(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return flag(s, n, into, CM_ATTEST_ALLOW_DEBUG);
}

static cm_err r_migration(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return flag(s, n, into, CM_ATTEST_ALLOW_MIGRATE);
}

static cm_err r_max_age(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return number_of(s, n, UINT32_MAX, &((cm_policy_rule *)into)->demand.max_age);
}

static cm_err r_status_age(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return number_of(s, n, UINT32_MAX, &((cm_policy_rule *)into)->demand.android.status_age);
}

static cm_err r_vmpl(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    uint64_t v = 0;

    CM_TRY(number_of(s, n, 3, &v));
    ((cm_policy_rule *)into)->demand.snp.vmpl = (uint8_t)v;
    return CM_OKAY;
}

static cm_err r_guest_bits(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return number_of(s, n, UINT64_MAX, &((cm_policy_rule *)into)->demand.snp.policy_required);
}

static cm_err r_platform_bits(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return number_of(s, n, UINT64_MAX, &((cm_policy_rule *)into)->demand.snp.platform_required);
}

static cm_err r_mitigations(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return number_of(s, n, UINT64_MAX, &((cm_policy_rule *)into)->demand.snp.mitigation_required);
}

static cm_err r_attributes(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return number_of(s, n, UINT64_MAX, &((cm_policy_rule *)into)->demand.intel.attributes_required);
}

static cm_err r_evaluation(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    uint64_t v = 0;

    CM_TRY(number_of(s, n, UINT32_MAX, &v));
    ((cm_policy_rule *)into)->demand.intel.evaluation = (uint32_t)v;
    return CM_OKAY;
}

static cm_err r_accept_tcb(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_policy_rule *r = into;

    if (cm_json_type_of(n) != CM_JSON_ARRAY)
        return cm_policy_wrong(s, n, "a list of TCB statuses belongs here");
    for (const cm_json_node *v = cm_json_first(n); v; v = cm_json_next(v)) {
        unsigned status = CM_TCB_UP_TO_DATE;
        cm_view text = {NULL, 0};

        if (cm_failed(cm_json_string(v, &text)))
            return cm_policy_wrong(s, v, "the name of a TCB status belongs here");
        while (status < CM_TCB_REVOKED &&
               !cm_view_eq(text, cm_view_str(cm_tcb_name((cm_tcb_status)status))))
            status++;
        if (status == CM_TCB_REVOKED)
            return cm_policy_wrong(s, v, "this is no TCB status that can be accepted");
        r->demand.intel.accept_tcb |= 1u << status;
    }
    return CM_OKAY;
}

static cm_err r_may_skip(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    static const uint32_t never =
        CM_CHECK_BIT(FORM) | CM_CHECK_BIT(CHAIN) | CM_CHECK_BIT(SIGNATURE);
    cm_policy_rule *r = into;

    if (cm_json_type_of(n) != CM_JSON_ARRAY)
        return cm_policy_wrong(s, n, "a list of checks belongs here");
    for (const cm_json_node *v = cm_json_first(n); v; v = cm_json_next(v)) {
        cm_attest_check id = CM_CHECK_COUNT;
        cm_view text;

        if (cm_ok(cm_json_string(v, &text)))
            id = cm_attest_check_of(text);
        if (id == CM_CHECK_COUNT || (never & 1u << id)) /* AP-6 */
            return cm_policy_wrong(s, v, "this is no check that can be left out");
        r->demand.may_skip |= 1u << id;
    }
    return CM_OKAY;
}

static cm_err r_pcrs(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_policy_rule *r = into;

    if (cm_json_type_of(n) != CM_JSON_ARRAY || cm_json_size(n) == 0)
        return cm_policy_wrong(s, n, "a list of registers belongs here");
    for (const cm_json_node *v = cm_json_first(n); v; v = cm_json_next(v)) {
        uint64_t pcr = 0;

        CM_TRY(number_of(s, v, PCRS - 1, &pcr));
        r->demand.tpm.pcrs |= 1u << pcr;
    }
    return CM_OKAY;
}

/* AP-10: whoever chooses the registers chooses the digest: some can be set to what others have. */
static bool registers_missing(const cm_policy_rule *r)
{
    return r->kind == CM_ATTEST_TPM && r->n_measurements && r->demand.tpm.pcrs == 0;
}

static const member rule_members[] = {
    {"measurements", r_measurements, false},
    {"chips", r_chips, false},
    {"config", r_config, false},
    {"debug", r_debug, false},
    {"migration", r_migration, false},
    {"max_age", r_max_age, false},
    {"may_skip", r_may_skip, false},
    {"status_age", r_status_age, false},
    {"floor", r_floor, false},
    {"vmpl", r_vmpl, false},
    {"guest_policy", r_guest_bits, false},
    {"platform", r_platform_bits, false},
    {"mitigations", r_mitigations, false},
    {"accept_tcb", r_accept_tcb, false},
    {"evaluation", r_evaluation, false},
    {"attributes", r_attributes, false},
    {"pcrs", r_pcrs, false},
};

static cm_err p_evidence(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_policy *p = into;

    if (cm_json_type_of(n) != CM_JSON_OBJECT || cm_json_size(n) == 0)
        return cm_policy_wrong(s, n, "at least one kind of evidence belongs here");
    for (const cm_json_node *v = cm_json_first(n); v; v = cm_json_next(v)) {
        cm_policy_rule *r = &p->rule[p->n_rules];
        cm_attest_kind kind = cm_attest_kind_of(cm_json_key(v));

        if (kind == CM_ATTEST_UNKNOWN || p->n_rules == CM_POLICY_KINDS)
            return cm_policy_wrong(s, v, "this is no kind of evidence");
        r->kind = kind;
        CM_TRY(take_members(s, v, rule_members, CM_COUNT(rule_members), r));
        if (r->n_measurements == 0 && !r->any_measurement && !r->by_reference) /* AP-4 */
            return cm_policy_wrong(s, v, "name measurements, or say measurements: any");
        if (registers_missing(r))
            return cm_policy_wrong(s, v, "name the registers that are measured: pcrs: [0, 7]");
        p->n_rules++;
    }
    return CM_OKAY;
}

/* ---- signers and tiers --------------------------------------------------------------------- */

static cm_err s_name(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return text_of(s, n, &((cm_policy_signer *)into)->name);
}

static cm_err s_key(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_view v = {NULL, 0};

    CM_TRY(hex_of(s, n, 32, 32, &v));
    memcpy(((cm_policy_signer *)into)->fingerprint, v.p, 32);
    return CM_OKAY;
}

static const member signer_members[] = {{"name", s_name, true}, {"key", s_key, true}};

static bool known_signer(const cm_policy *p, const cm_policy_signer *s)
{
    for (size_t i = 0; i < p->n_signers; i++)
        if (cm_view_eq(CM_VIEW(p->signer[i].fingerprint), CM_VIEW(s->fingerprint)))
            return true;
    return false;
}

static cm_err p_signers(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_policy *p = into;

    if (cm_json_type_of(n) != CM_JSON_ARRAY)
        return cm_policy_wrong(s, n, "a list of signers belongs here");
    for (const cm_json_node *v = cm_json_first(n); v; v = cm_json_next(v)) {
        cm_policy_signer signer = {0};

        CM_TRY(take_members(s, v, signer_members, CM_COUNT(signer_members), &signer));
        if (p->n_signers == CM_POLICY_SIGNERS || known_signer(p, &signer))
            return cm_policy_wrong(s, v, "one signer too many, or there twice");
        p->signer[p->n_signers++] = signer;
    }
    return CM_OKAY;
}

static cm_err f_name(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return text_of(s, n, &((cm_policy_reference *)into)->name);
}

static cm_err f_signer(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_view v = {NULL, 0};

    CM_TRY(hex_of(s, n, 32, 32, &v));
    memcpy(((cm_policy_reference *)into)->signer, v.p, 32);
    return CM_OKAY;
}

static cm_err f_version(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return number_of(s, n, UINT32_MAX, &((cm_policy_reference *)into)->version);
}

static const member reference_members[] = {
    {"name", f_name, true},
    {"signer", f_signer, true},
    {"version", f_version, false},
};

/* AP-46 */
static cm_err p_references(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_policy *p = into;

    if (cm_json_type_of(n) != CM_JSON_ARRAY || cm_json_size(n) > CM_POLICY_REFERENCES)
        return cm_policy_wrong(s, n,
                               "a list of up to 8 manifests, by name and signer, belongs here");
    for (const cm_json_node *v = cm_json_first(n); v; v = cm_json_next(v))
        CM_TRY(take_members(s, v, reference_members, CM_COUNT(reference_members),
                            &p->reference[p->n_references++]));
    return CM_OKAY;
}

static cm_err t_evidence(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_policy_tier *t = into;
    cm_view v;

    if (cm_ok(cm_json_string(n, &v))) {
        t->never = cm_view_eq(v, CM_LIT("never"));
        t->evidence = cm_view_eq(v, CM_LIT("any"));
        if (!t->never && !t->evidence && !cm_view_eq(v, CM_LIT("none")))
            return cm_policy_wrong(s, n, "none, any, never, or a list of kinds belongs here");
        return CM_OKAY;
    }
    if (cm_json_type_of(n) != CM_JSON_ARRAY || cm_json_size(n) == 0)
        return cm_policy_wrong(s, n, "none, any, never, or a list of kinds belongs here");
    t->evidence = true;
    for (const cm_json_node *k = cm_json_first(n); k; k = cm_json_next(k)) {
        cm_attest_kind kind = CM_ATTEST_UNKNOWN;

        if (cm_ok(cm_json_string(k, &v)))
            kind = cm_attest_kind_of(v);
        if (kind == CM_ATTEST_UNKNOWN)
            return cm_policy_wrong(s, k, "this is no kind of evidence");
        t->kinds |= 1u << kind;
    }
    return CM_OKAY;
}

static cm_err t_gpu(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return word_of(s, n, "required", "optional", &((cm_policy_tier *)into)->gpu);
}

static const member tier_members[] = {{"evidence", t_evidence, true}, {"gpu", t_gpu, false}};

/* HIP-5: 2 in a trusted execution environment, 3 with a confidential GPU as well; 4 asks for
 * trusted I/O, which nothing here can show (AP-9). */
static void standard_tiers(cm_policy *p)
{
    p->tier[2].evidence = p->tier[3].evidence = p->tier[4].evidence = true;
    p->tier[3].gpu = p->tier[4].gpu = true;
    p->tier[4].never = true;
}

static cm_err p_tiers(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    cm_policy *p = into;

    if (cm_json_type_of(n) != CM_JSON_OBJECT)
        return cm_policy_wrong(s, n, "tiers 0 to 4 and what they demand belong here");
    for (const cm_json_node *v = cm_json_first(n); v; v = cm_json_next(v)) {
        cm_view key = cm_json_key(v);

        if (key.n != 1 || key.p[0] < '0' || key.p[0] > '4')
            return cm_policy_wrong(s, v, "tiers are 0 to 4");
        p->tier[key.p[0] - '0'] = (cm_policy_tier){0};
        CM_TRY(take_members(s, v, tier_members, CM_COUNT(tier_members), &p->tier[key.p[0] - '0']));
    }
    return CM_OKAY;
}

/* ---- the root ------------------------------------------------------------------------------ */

static cm_err p_format(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    uint64_t v = 0;

    (void)into;
    CM_TRY(number_of(s, n, UINT64_MAX, &v));
    return v == FORMAT ? CM_OKAY
                       : cm_policy_wrong(s, n, "this format is not known here"); /* AP-1 */
}

static cm_err p_name(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return text_of(s, n, &((cm_policy *)into)->name);
}

static cm_err p_version(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    CM_TRY(number_of(s, n, UINT32_MAX, &((cm_policy *)into)->version));
    return ((cm_policy *)into)->version ? CM_OKAY : cm_policy_wrong(s, n, "versions begin at 1");
}

static cm_err p_expires(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return time_of(s, n, &((cm_policy *)into)->expires);
}

static cm_err p_gpu(cm_policy_parse *s, const cm_json_node *n, void *into)
{
    return word_of(s, n, "required", "optional", &((cm_policy *)into)->gpu);
}

static const member policy_members[] = {
    {"casemate_policy", p_format, true}, {"name", p_name, true},
    {"version", p_version, true},        {"expires", p_expires, false},
    {"signers", p_signers, false},       {"references", p_references, false},
    {"evidence", p_evidence, true},      {"gpu", p_gpu, false},
    {"tiers", p_tiers, false},
};

cm_err cm_policy_parse_root(cm_policy_parse *s)
{
    standard_tiers(s->p);
    return take_members(s, cm_json_root(s->p->memory->yaml.json), policy_members,
                        CM_COUNT(policy_members), s->p);
}
