/* XML of signed manifests: its canonical form, and what is refused (AT-122, AT-123). The forms
 * expected are those of Canonical XML 1.1, as libxml2 gives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rim/xml.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

/* The form of the whole, or of the first element of that name, without the one called skip. */
static void assert_form(const char *text, const char *apex, const char *expected)
{
    cm_xml x;
    cm_buf out = {.max = 4096};
    uint32_t at = 0, skip;

    OK(cm_xml_read(&x, cm_view_str(text)));
    for (skip = 0; skip < x.n; skip++)
        if (!x.node[skip].is_text && cm_view_eq(x.node[skip].local, CM_LIT("skip")))
            break;
    while (apex && !cm_view_eq(x.node[at].local, cm_view_str(apex)))
        at++;
    OK(cm_xml_canonical(&out, &x, at, skip));
    OK(cm_buf_byte(&out, 0));
    assert_string_equal((const char *)out.p, expected);
    cm_buf_free(&out);
    cm_xml_done(&x);
}

static void forms(void **state)
{
    (void)state;
    assert_form("<a/>", NULL, "<a></a>");
    assert_form("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a  >\n <b\n/></a >\n", NULL,
                "<a>\n <b></b></a>");
    assert_form("<a z='1' b=\"2\" a='3'/>", NULL, "<a a=\"3\" b=\"2\" z=\"1\"></a>");
    assert_form("<a b='&quot;&apos;\"&lt;&gt;&amp;>'>&quot;&apos;'\"&lt;&gt;>&amp;</a>", NULL,
                "<a b=\"&quot;'&quot;&lt;>&amp;>\">\"''\"&lt;&gt;&gt;&amp;</a>");
    assert_form(
        "<a xmlns:c='u:c' xmlns:b='u:b' xmlns='u:a' b:z='1' c:a='2' x='3'/>", NULL,
        "<a xmlns=\"u:a\" xmlns:b=\"u:b\" xmlns:c=\"u:c\" x=\"3\" b:z=\"1\" c:a=\"2\"></a>");
    /* By the namespace's name, not by its prefix. */
    assert_form("<a xmlns:c='u:1' xmlns:b='u:2' b:z='1' c:y='2'/>", NULL,
                "<a xmlns:b=\"u:2\" xmlns:c=\"u:1\" c:y=\"2\" b:z=\"1\"></a>");
    /* Written where it changes, and not again. */
    assert_form("<a xmlns='u'><b xmlns='u'><c xmlns=''><d xmlns=''/></c></b></a>", NULL,
                "<a xmlns=\"u\"><b><c xmlns=\"\"><d></d></c></b></a>");
    assert_form("<a xmlns:p='u'><b xmlns:p='v'><c xmlns:p='u'/></b></a>", NULL,
                "<a xmlns:p=\"u\"><b xmlns:p=\"v\"><c xmlns:p=\"u\"></c></b></a>");
    assert_form("<a xmlns=''/>", NULL, "<a></a>");
}

static void parts(void **state)
{
    (void)state;
    /* What is in scope goes along with a part; what is left out leaves its surroundings. */
    assert_form("<a xmlns='u' xmlns:p='v'> <b x='1'><p:c/></b></a>", "b",
                "<b xmlns=\"u\" xmlns:p=\"v\" x=\"1\"><p:c></p:c></b>");
    assert_form("<a><b/> <skip><c/>text</skip> <d/></a>", NULL, "<a><b></b>  <d></d></a>");
    assert_form("<a xmlns:p='u'><b xmlns:p='v'><c/></b></a>", "c", "<c xmlns:p=\"v\"></c>");
}

static void refused(void **state)
{
    static const char deep[] =
        "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a></a>"
        "</a></a></a></a></a></a></a>";
    static const char *const bad[] = {
        "",
        " ",
        "a",
        "<a>",
        "</a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<a",
        "<a b>",
        "<a b=>",
        "<a b=c/>",
        "<a b='1' b='2'/>",
        "<a b='1'c='2'/>",
        "<a b='<'/>",
        "<a b='\t'/>",
        "<a b='\n'/>",
        "<a>\r</a>",
        "<a>\x01</a>",
        "<a>\x7f</a>",
        "<a>\xff</a>",
        "<a>&</a>",
        "<a>&b;</a>",
        "<a>&#65;</a>",
        "<a>]]></a>",
        "<!-- --><a/>",
        "<a><!-- --></a>",
        "<a><![CDATA[b]]></a>",
        "<a><?b?></a>",
        "<!DOCTYPE a><a/>",
        "<?xml version=\"1.1\" encoding=\"UTF-8\"?><a/>",
        "<p:a/>",
        "<a p:b='1'/>",
        "<1/>",
        "<a:/>",
        "<:a/>",
        "<a:b:c/>",
        "<a xml:id='1'/>",
        "<a xmlns:p=''/>",
        "<a xmlns:xml='u'/>",
        "<a xmlns:xmlns='u'/>",
        "<a xmlns='u' xmlns='v'/>",
        "<a xmlns:p='&amp;'/>",
        "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
        "<p:a xmlns:p='u'></a>",
        deep,
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_xml x = {.n = 7};

        IS(cm_xml_read(&x, cm_view_str(bad[i])), RIM_FORM);
        assert_int_equal(x.n, 7);
    }
}

/* Room is made for what the text can hold, and no more than that is looked at. */
static void limits(void **state)
{
    cm_buf b = {.max = CM_XML_TEXT_MAX + 1};
    cm_xml x;

    (void)state;
    OK(cm_buf_append(&b, CM_LIT("<a>")));
    while (b.n < 5 * 9000)
        OK(cm_buf_append(&b, CM_LIT("<b/> ")));
    OK(cm_buf_append(&b, CM_LIT("</a>")));
    IS(cm_xml_read(&x, cm_buf_view(&b)), TOO_BIG);
    while (b.n <= CM_XML_TEXT_MAX)
        OK(cm_buf_byte(&b, ' '));
    IS(cm_xml_read(&x, cm_buf_view(&b)), TOO_BIG);
    cm_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(parts),
        cmocka_unit_test(refused),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
