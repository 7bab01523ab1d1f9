/* The Merkle proof cases of the transparency-dev project: every file below pq/tlog/merkle. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/os.h"
#include "codec/json.h"
#include "codec/text.h"
#include "crypt/merkle.h"

#define CASES     518u
#define PROOF_MAX 128u

static char root_dir[4096];
static unsigned cases, good;

static cm_view text_of(const cm_json_node *n, const char *key)
{
    cm_view v = {0};

    (void)cm_ok(cm_json_string(cm_json_get(n, key), &v));
    return v;
}

static uint64_t number_of(const cm_json_node *n, const char *key)
{
    uint64_t v = 0;

    assert_true(cm_ok(cm_json_u64(cm_json_get(n, key), &v)));
    return v;
}

/* The cases have hashes of other lengths, some of which are to be accepted because nothing looks
 * into them: they fill a hash from its beginning. None at all is refused here, by whoever reads. */
static bool hash_of(uint8_t out[32], const cm_json_node *n, const char *key)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};

    memset(out, 0, 32);
    assert_true(cm_ok(cm_base64_decode(&b, text_of(n, key), false)));
    assert_true(b.n <= 32);
    if (b.n > 0) {
        memcpy(out, b.p, b.n);
    }
    return b.n > 0;
}

/* False if an element is no hash at all: a reader of proofs would have refused it. */
static bool proof_of(uint8_t (*out)[32], cm_view *proof, const cm_json_node *n)
{
    const cm_json_node *list = cm_json_get(n, "proof");
    size_t count = 0;

    if (cm_json_type_of(list) == CM_JSON_ARRAY) {
        for (const cm_json_node *e = cm_json_first(list); e != NULL; e = cm_json_next(e)) {
            CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};
            cm_view text;

            assert_true(count < PROOF_MAX);
            if (cm_failed(cm_json_string(e, &text)) ||
                cm_failed(cm_base64_decode(&b, text, false)) || b.n != 32) {
                return false;
            }
            memcpy(out[count++], b.p, 32);
        }
    }
    *proof = cm_view_of(out, 32 * count);
    return true;
}

static cm_err check_inclusion(const cm_json_node *n, cm_view proof)
{
    uint8_t root[32], leaf[32];

    if (!hash_of(root, n, "root") || !hash_of(leaf, n, "leafHash")) {
        return CM_FAIL(MERKLE_PROOF);
    }
    if (cm_json_get(n, "treeSize") == NULL) {
        return cm_merkle_check_subtree_inclusion(root, number_of(n, "start"), number_of(n, "end"),
                                                 number_of(n, "leafIdx"), leaf, proof);
    }
    return cm_merkle_check_inclusion(root, number_of(n, "leafIdx"), number_of(n, "treeSize"), leaf,
                                     proof);
}

static cm_err check_consistency(const cm_json_node *n, cm_view proof)
{
    uint8_t root1[32], root2[32];

    if (!hash_of(root1, n, "root1") || !hash_of(root2, n, "root2")) {
        return CM_FAIL(MERKLE_PROOF);
    }
    if (cm_json_get(n, "size1") == NULL) {
        return cm_merkle_check_subtree(root1, number_of(n, "start"), number_of(n, "end"), root2,
                                       number_of(n, "size"), proof);
    }
    return cm_merkle_check_consistency(root1, number_of(n, "size1"), root2, number_of(n, "size2"),
                                       proof);
}

static void run_case(const char *path, const cm_json_node *n)
{
    uint8_t hashes[PROOF_MAX][32];
    cm_view proof;
    cm_err e = CM_FAIL(MERKLE_PROOF);
    bool bad = false;

    assert_true(cm_ok(cm_json_bool(cm_json_get(n, "wantErr"), &bad)));
    if (proof_of(hashes, &proof, n)) {
        e = cm_json_get(n, "leafHash") != NULL ? check_inclusion(n, proof)
                                               : check_consistency(n, proof);
    }
    if (cm_ok(e) == bad || (cm_failed(e) && !cm_is(e, CM_MERKLE_PROOF))) {
        fail_msg("%s: %s", path, cm_err_name(e));
    }
    cases++;
    good += !bad;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *at)
{
    size_t n = strlen(path);
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 1 << 20};
    FILE *f;
    uint8_t chunk[4096];
    size_t got;

    (void)st;
    (void)at;
    if (type != FTW_F || n < 5 || strcmp(path + n - 5, ".json") != 0) {
        return 0;
    }
    f = fopen(path, "rb");
    assert_non_null(f);
    while ((got = fread(chunk, 1, sizeof chunk, f)) > 0) {
        assert_true(cm_ok(cm_buf_append(&text, cm_view_of(chunk, got))));
    }
    (void)fclose(f);
    assert_true(cm_ok(cm_json_parse(&j, cm_buf_view(&text), NULL, NULL)));
    run_case(path, cm_json_root(j));
    return 0;
}

static void every_case(void **state)
{
    (void)state;
    assert_int_equal(0, nftw(root_dir, visit, 8, FTW_PHYS));
    print_message("%u cases, %u of them good proofs\n", cases, good);
    assert_true(cases >= CASES);
    assert_true(good >= 36);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};
    const char *vectors = getenv("CASEMATE_VECTORS");
    FILE *f;

    (void)snprintf(root_dir, sizeof root_dir, "%s/pq/tlog/merkle",
                   vectors != NULL ? vectors : "../shared/vectors");
    f = fopen(root_dir, "rb");
    if (f == NULL) {
        (void)printf("SKIP: no vectors at %s\n", root_dir);
        return 77;
    }
    (void)fclose(f);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
