#include "codec/json_int.h"

/*
 * Members in order of a hash of their keys. Colliding keys are ordered by their bytes and the sort
 * is a heap sort, so keys chosen to collide cost a string comparison each and never O(n * n).
 */

static uint32_t hash(cm_view key)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < key.n; i++)
        h = (h ^ key.p[i]) * 0x100000001b3u;
    return (uint32_t)(h ^ h >> 32);
}

static const cm_json_node *member(const cm_json_node *obj, uint64_t entry)
{
    return obj + (uint32_t)entry;
}

static int compare_keys(const cm_json_node *obj, uint64_t a, uint64_t b)
{
    if (a >> 32 != b >> 32)
        return a < b ? -1 : 1;
    return cm_view_compare(node_key(member(obj, a)), node_key(member(obj, b)));
}

static bool before(const cm_json_node *obj, uint64_t a, uint64_t b)
{
    int d = compare_keys(obj, a, b);

    return d ? d < 0 : a < b;
}

static void sift(const cm_json_node *obj, uint64_t *e, size_t root, size_t n)
{
    uint64_t x = e[root];

    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && before(obj, e[child], e[child + 1]))
            child++;
        if (!before(obj, x, e[child]))
            break;
        e[root] = e[child];
    }
    e[root] = x;
}

static void sort(const cm_json_node *obj, uint64_t *e, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift(obj, e, i, n);
    for (size_t i = n; i-- > 1;) {
        uint64_t x = e[0];

        e[0] = e[i];
        e[i] = x;
        sift(obj, e, 0, i);
    }
}

static const cm_json_node *earlier(const cm_json_node *a, const cm_json_node *b)
{
    return !a || b < a ? b : a;
}

static const cm_json_node *twice_in_small(const cm_json_node *obj)
{
    const cm_json_node *found = NULL;

    for (const cm_json_node *a = cm_json_first(obj); a; a = cm_json_next(a))
        for (const cm_json_node *b = cm_json_next(a); b; b = cm_json_next(b))
            if (cm_view_eq(node_key(a), node_key(b)))
                found = earlier(found, b);
    return found;
}

static const cm_json_node *twice_in_index(const cm_json_node *obj, const uint64_t *e)
{
    const cm_json_node *found = NULL;

    for (size_t i = 1; i < obj->n; i++)
        if (compare_keys(obj, e[i - 1], e[i]) == 0)
            found = earlier(found, member(obj, e[i]));
    return found;
}

cm_err cm_json_index(cm_json_node *obj, const cm_json_node **twice)
{
    uint64_t *e;
    size_t i = 0;

    if (obj->n <= CM_JSON_SMALL) {
        *twice = twice_in_small(obj);
        return *twice ? CM_FAIL(JSON_DUPLICATE) : CM_OKAY;
    }
    CM_TRY(cm_alloc_array(&e, obj->n, sizeof *e));
    for (const cm_json_node *m = cm_json_first(obj); m; m = cm_json_next(m))
        e[i++] = (uint64_t)hash(node_key(m)) << 32 | (uint64_t)(m - obj);
    sort(obj, e, i);
    obj->u.index = e;
    *twice = twice_in_index(obj, e);
    return *twice ? CM_FAIL(JSON_DUPLICATE) : CM_OKAY;
}

static const cm_json_node *find(const cm_json_node *obj, cm_view key)
{
    size_t lo = 0, hi = obj->n;
    uint32_t h = hash(key);

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        uint64_t e = obj->u.index[mid];
        uint32_t other = (uint32_t)(e >> 32);
        int d = h != other ? (h < other ? -1 : 1) : cm_view_compare(key, node_key(member(obj, e)));

        if (d == 0)
            return member(obj, e);
        if (d < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

const cm_json_node *cm_json_get_view(const cm_json_node *obj, cm_view key)
{
    if (!obj || obj->type != CM_JSON_OBJECT)
        return NULL;
    if (obj->u.index)
        return find(obj, key);
    for (const cm_json_node *m = cm_json_first(obj); m; m = cm_json_next(m))
        if (cm_view_eq(node_key(m), key))
            return m;
    return NULL;
}

const cm_json_node *cm_json_get(const cm_json_node *obj, const char *key)
{
    return cm_json_get_view(obj, cm_view_str(key));
}
